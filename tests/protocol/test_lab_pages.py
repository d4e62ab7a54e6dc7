"""The browser pane: what the lab phone fetched through the gateway, shown from another origin, in a sandbox."""

from pathlib import Path
from unittest.mock import AsyncMock

import httpx2
import pytest
from starlette.testclient import TestClient

from kswifi.lab.control import create_control_app
from kswifi.lab.phone.phone import LabPhone
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.site.pages import LARGEST_PAGE_OCTETS, PAGES
from tests.support.lab_network import LabNetwork, lab_network
from tests.support.small_ocs import SmallOcs

PAGE_ORIGIN = "http://localhost:8080"


def _control(lab: LabNetwork, folder: Path) -> TestClient:
    servers = ProfileServers(None, ("127.0.0.1", 1))  # no profile is fetched here
    phone = LabPhone(folder / "card", lab.network, lab.modem, lab.content, servers)
    app = create_control_app(lab.gateway, phone, (PAGE_ORIGIN,), "127.0.0.1")
    return TestClient(app, base_url="http://127.0.0.1", headers={"X-KSWiFi-Lab": "1"})


def _url(lab: LabNetwork, path: str = "/") -> str:
    return f"http://{lab.content[0]}:{lab.content[1]}{path}"


def test_a_page_comes_through_the_gateway_and_is_shown_in_a_sandbox(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10**8)
    with lab_network(tmp_path, ocs) as lab, _control(lab, tmp_path) as control:
        lab.attach()
        answer = control.post("/phone/browse", json={"url": _url(lab), "show": True}).json()
        assert (answer["status"], answer["cut_off"]) == (200, False)
        control.headers.pop("X-KSWiFi-Lab")  # a frame cannot send it
        shown = control.get(answer["page"])
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>The net beyond KSWiFi</h1>" in shown.text
        policy = shown.headers["content-security-policy"].split("; ")
        assert {"sandbox", "default-src 'none'", f"frame-ancestors {PAGE_ORIGIN}"} <= set(policy)
        assert shown.headers["x-content-type-options"] == "nosniff"
        gone = control.get("/phone/pages/another")
        assert gone.status_code == 404
        assert "sandbox" in gone.headers["content-security-policy"]
        lab.modem.detach()
    assert ocs.used >= answer["octets"]


def test_the_newest_pages_are_kept_their_beginnings_alone_and_nothing_unasked(tmp_path: Path) -> None:
    with lab_network(tmp_path, SmallOcs(balance=10**8)) as lab, _control(lab, tmp_path) as control:
        lab.attach()
        assert "page" not in control.post("/phone/browse", json={"url": _url(lab)}).json()
        long = {"url": _url(lab, f"/stream?seed=long&octets={LARGEST_PAGE_OCTETS + 5}"), "show": True}
        answer = control.post("/phone/browse", json=long).json()
        assert answer["octets"] == LARGEST_PAGE_OCTETS + 5
        shown = control.get(answer["page"])
        assert (len(shown.content), shown.headers["content-type"]) == (
            LARGEST_PAGE_OCTETS,
            "text/plain; charset=utf-8",
        )
        short = {"url": _url(lab), "show": True}
        newer = [control.post("/phone/browse", json=short).json()["page"] for _ in range(PAGES)]
        assert control.get(answer["page"]).status_code == 404
        assert {control.get(path).status_code for path in newer} == {200}


def test_with_the_gateway_stopped_nothing_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab_network(tmp_path, SmallOcs(balance=10**8)) as lab, _control(lab, tmp_path) as control:
        lab.attach()
        show = {"url": _url(lab), "show": True}
        assert control.post("/phone/browse", json=show).status_code == 200
        lab.loop.run(lab.gateway.close())
        monkeypatch.setattr(lab.gateway, "close", AsyncMock())  # it is closed
        refused = control.post("/phone/browse", json=show)
        assert refused.status_code in (409, 502)
        assert "page" not in refused.json()
        # It is the way there that is gone: over WiFi the same page still comes.
        lab.network.wifi = True
        assert control.post("/phone/browse", json=show).status_code == 200
        lab.network.wifi = False
        assert "page" not in control.post("/phone/browse", json=show).json()


def test_another_client_learns_how_to_use_the_line_once_it_is_on(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=10**8)
    with lab_network(tmp_path, ocs) as lab, _control(lab, tmp_path) as control:
        refused = control.get("/phone/proxy")
        assert (refused.status_code, refused.json()["code"]) == (409, "no_network")
        lab.attach()
        proxy = control.get("/phone/proxy").json()["proxy"]
        with httpx2.Client(proxy=proxy, trust_env=False) as other:
            assert "The net beyond KSWiFi" in other.get(_url(lab)).text
