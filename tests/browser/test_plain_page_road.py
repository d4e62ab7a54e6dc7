"""The whole road of one internet session by clicking on the plain page, on the real server and the real lab."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from kswifi.cli.up import System
from kswifi.lab.ports import free_ports

CHROMIUM = shutil.which("chromium")
PASSWORD = "three warm rivers"
ALLOWANCE = 5_000_000
OFFERS = f"""
[[offer]]
id = "free-5mb"
title = "5MB Session (Free) • 30 days"
allowance_octets = {ALLOWANCE}
price_kobo = 0
valid_days = 30

[[offer]]
id = "unlimited"
title = "Unlimited Sessions (₦800) • 7 days"
price_kobo = 80_000
valid_days = 7
"""

pytestmark = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server and a lab on free ports; grants are small, so that usage is reported before the end."""
    folder: Path = tmp_path_factory.mktemp("road")
    offers = folder / "offers.toml"
    offers.write_text(OFFERS, encoding="utf-8")
    ports = free_ports(("api", "diameter", "lab", "content", "proxy", "attach"))
    environment = {
        "KSWIFI_DATA_DIR": str(folder / "var"),
        "KSWIFI_OFFERS_FILE": str(offers),
        "KSWIFI_GRANT_CAP_OCTETS": "1000000",
        **{f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in ports.items()},
    }
    system = System(environment, folder / "log")
    ready = system.start()
    try:
        lab = ready["lab"]
        yield {"server": ready["server"]["origin"], "lab": lab["control"], "content": lab["content"]}
    finally:
        system.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing, and with CI=true the browser tests may not be left out")
        pytest.skip("chromium is missing: apt install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Hands:
    """Clicks on the page and reads it. An error on its console that is no refused request fails the test."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1000, "height": 800}, locale="en-NG")
        self.page.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.ranges: list[str | None] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(origin)

    def register(self, phone_number: str) -> None:
        self.page.get_by_label("Phone number or email address").first.fill(phone_number)
        self.page.get_by_label("Password, at least 8 characters").fill(PASSWORD)
        self.click("Make an account")
        self.click("I have written it down")

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def browse(self, megabytes: int) -> None:
        self.page.get_by_label("Browse, in MB").fill(str(megabytes))
        self.click("Browse")

    def says(self, words: str | re.Pattern[str], *, problem: bool = False) -> None:
        expect(self.page.locator("#message")).to_contain_text(words)
        expect(self.page.locator("#message")).to_have_class("problem" if problem else "")

    def shows(self, state: str) -> dict[str, Any]:
        """See that the page shows a state and that it is the server's; return the server's session."""
        expect(self.page.locator("#sessions .state")).to_have_text(state)
        answer = self.page.evaluate("fetch('/api/v1/sessions').then((answer) => answer.json())")
        session: dict[str, Any] = answer["sessions"][0]
        assert session["state"] == state
        return session

    def phone_shows(self, fact: str, value: str | re.Pattern[str]) -> None:
        term = self.page.locator("#phone-facts dt", has_text=re.compile(f"^{fact}$"))
        expect(term.locator("+ dd")).to_have_text(value)

    def leave(self) -> None:
        self.page.close()
        assert [error for error in self.errors if "Failed to load resource" not in error] == []

    def _note(self, request: Any) -> None:
        if request.url.endswith("/package"):
            self.ranges.append(request.headers.get("range"))


def test_the_whole_road_by_clicking(origins: dict[str, str], browser: Browser) -> None:
    hands = Hands(browser, origins["server"])
    page = hands.page
    hands.register("0803 123 4567")
    _download(hands)
    _store_with_a_broken_transfer(hands)
    _leave_wifi_and_switch_the_line_on(hands)
    _browse_until_the_network_cuts(hands)

    hands.click("Line off")
    hands.says("The line is off.")
    hands.click("WiFi on")
    hands.says("The phone's WiFi is on.")
    session = hands.shows("exhausted")
    assert session["balance"] == {
        **dict.fromkeys(("reserved", "available", "overrun", "expired", "revoked"), 0),
        **dict.fromkeys(("credited", "used"), ALLOWANCE),
    }
    expect(page.get_by_text("Used up: back to WiFi.")).to_be_visible()
    expect(page.locator(".ledger")).to_contain_text(
        "credited 5,000,000 · used 5,000,000 · reserved 0 · available 0"
    )
    expect(page.locator("#log li")).to_contain_text([re.compile("exhausted"), re.compile("active")])
    hands.leave()


def _download(hands: Hands) -> None:
    page = hands.page
    expect(page.locator("#offers li")).to_have_count(2)
    page.get_by_role("button", name="Download Session").nth(1).click()
    hands.says("payments are not set up: nothing was taken", problem=True)
    expect(page.get_by_text("No sessions yet")).to_be_visible()
    hands.click("Download Session")
    size = hands.shows("packaged")["package_octets"]
    page.get_by_label("break off the next download").check()
    hands.click("Download")
    hands.says("Broken off after")
    hands.shows("downloading")
    hands.click("Download")
    hands.says("The package is here, whole and verified.")
    assert hands.ranges == [None, f"bytes={size // 2}-"]
    hands.shows("downloaded")


def _store_with_a_broken_transfer(hands: Hands) -> None:
    """The first transfer ends between card and server; after a reload it goes on."""
    page = hands.page

    def fail(route: Route) -> None:
        route.abort()

    page.route("**/phone/card/apdu", fail)
    hands.click("Transfer to eSIM")
    hands.says("No answer from 127.0.0.1:", problem=True)
    page.unroute("**/phone/card/apdu", fail)
    assert hands.shows("transferring")["storage_proof"] is None
    page.reload()
    hands.click("Transfer to eSIM")
    hands.says("the card has proved that it holds it")
    assert hands.shows("stored")["storage_proof"] == "apdu_read_back"
    hands.phone_shows("Profile", re.compile(r"^\d{19}, enabled$"))
    hands.phone_shows("Sessions on it", "1")


def _leave_wifi_and_switch_the_line_on(hands: Hands) -> None:
    """Everything that is no usage leaves the session stored."""
    hands.browse(1)
    hands.says("1 MB came over WiFi, which nobody counts.")
    hands.click("WiFi off")
    hands.says("The phone's WiFi is off.")
    hands.click("Browse")
    hands.says("WiFi is off and the line is not attached", problem=True)
    hands.click("Line on")
    hands.says("The line is on, full access (attached).")
    hands.phone_shows("Address", re.compile(r"^10\.45\."))
    hands.page.reload()
    hands.phone_shows("Line", "on, full access (attached)")
    assert hands.shows("stored")["balance"]["used"] == 0


def _browse_until_the_network_cuts(hands: Hands) -> None:
    hands.browse(2)
    hands.says("2 MB came over the line.")
    balance = hands.shows("active")["balance"]
    assert 0 < balance["used"] <= ALLOWANCE - 2_000_000
    hands.browse(20)
    hands.says(re.compile(r"^2\.99 MB came over the line, then it was cut: control-only access \(.+\)\.$"))
    hands.shows("exhausted")
    hands.phone_shows("Line", re.compile("^on, control-only access"))
    hands.click("Browse")
    hands.says("This internet session is used up", problem=True)


def test_the_phone_obeys_its_own_pages_whatever_the_ports(origins: dict[str, str], browser: Browser) -> None:
    hands = Hands(browser, origins["server"].replace("127.0.0.1", "localhost"))
    hands.register("0803 123 4568")
    hands.click("WiFi on")
    hands.says("The phone's WiFi is on.")
    hands.phone_shows("WiFi", "on")
    hands.leave()

    elsewhere = browser.new_page()
    elsewhere.goto(origins["content"])
    for mode, headers in (("cors", {"X-KSWiFi-Lab": "1"}), ("no-cors", {})):
        options = {"method": "POST", "mode": mode, "headers": headers, "body": '{"on": false}'}
        elsewhere.evaluate(
            "([url, options]) => fetch(url, options).catch(() => null)", [f"{origins['lab']}/phone/wifi", options]
        )
    elsewhere.close()
    phone = httpx2.get(f"{origins['lab']}/phone", headers={"X-KSWiFi-Lab": "1"}).json()
    assert phone["wifi"] is True


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-KSWiFi-Lab": "1"}, 200),
        ({"X-KSWiFi-Lab": "1", "Host": "evil.example"}, 400),
        ({"X-KSWiFi-Lab": "1", "Host": "evil.example:8081"}, 400),
    ],
)
def test_the_lab_phone_is_shown_only_to_who_may_see_it(
    origins: dict[str, str], headers: dict[str, str], status: int
) -> None:
    assert httpx2.get(f"{origins['lab']}/phone", headers=headers).status_code == status
