"""Buying the pass in the running system: by the sandbox's checkout page, its webhook and its verification."""

import time
import uuid
from pathlib import Path
from typing import Any

import httpx2

from kswifi.books.model import Account
from kswifi.lab.demo.road import Road
from tests.support.system import PASSWORD, WholeSystem, control_rows, new_identifier, running_system


def _send(road: Road, path: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Idempotency-Key": str(uuid.uuid4()), "X-CSRF-Token": road.app._csrf_token}
    return road.app._client.post(f"/api/v1/{path}", json=body, headers=headers)


def test_the_pass_is_bought_used_and_not_given_back(system: WholeSystem) -> None:
    with system.road(name="buyer") as road:
        road.register(new_identifier(), PASSWORD)
        refused = _send(road, "sessions", {"offer_id": "unlimited"})
        assert (refused.status_code, refused.json()["code"]) == (402, "payment_required")
        assert road.app.current_pass()["active"] is False
        payment = road.app.buy("unlimited")
        assert payment["sandbox"] is True
        assert payment["amount_kobo"] == 80_000
        assert payment["checkout_url"] is None
        held = road.app.current_pass()
        assert held["active"] is True
        assert held["rules"] == {"fair_use_octets": None, "sessions_at_once": 20, "payments": "sandbox"}
        uncapped, capped = (_send(road, "sessions", {"offer_id": it}).json() for it in ("unlimited", "free-3mb"))
        assert uncapped["allowance_octets"] is None
        assert uncapped["valid_until"] == capped["valid_until"] == held["ends_at"]
        free = road.app._client.get("/api/v1/sessions").json()["free"]
        assert free["left_octets"] == free["octets"]
        page = road.app._client.get(f"/api/v1/payments/{payment['reference']}/receipt")
        assert "SANDBOX" in page.text
        assert "NGN 800.00" in page.text
        pdf = road.app._client.get(f"/api/v1/payments/{payment['reference']}/receipt.pdf")
        assert pdf.content.startswith(b"%PDF-")
        entries = control_rows(
            system.data_dir,
            "SELECT l.account, l.amount_kobo FROM book_line l JOIN book_entry e USING (number)"
            f" WHERE e.reference = 'payment:{payment['reference']}:settled' AND e.kind = 'sandbox_payment_settled'",
        )
        assert (Account.DEFERRED_REVENUE, -80_000) in entries
        assert sum(kobo for _, kobo in entries) == 0


def test_a_pass_of_which_nothing_was_used_goes_back(system: WholeSystem) -> None:
    with system.stored("free-3mb", name="giver-back") as road:
        free_session = road.walked.session_id
        payment = road.app.buy("unlimited")
        under_pass = _send(road, "sessions", {"offer_id": "unlimited"}).json()["session_id"]
        road.app.wait_until(under_pass, ("packaged",))
        asked = _send(road, f"payments/{payment['reference']}/refund")
        assert asked.json()["state"] == "refund_asked"
        road.app.wait_until(under_pass, ("revoked",))
        assert road.app.internet_session(free_session)["state"] == "stored"
        url = f"/api/v1/payments/{payment['reference']}"
        until = time.monotonic() + 30
        while (found := road.app._get(url))["state"] != "refunded" and time.monotonic() < until:
            time.sleep(0.05)
        assert found["state"] == "refunded"
        assert found["refund_kobo"] == 80_000
        assert road.app.current_pass()["active"] is False
        assert _send(road, "sessions", {"offer_id": "unlimited"}).json()["code"] == "payment_required"


def test_the_road_of_the_pass_to_the_end_of_its_days(tmp_path: Path) -> None:
    """What `kswifi demo --offer unlimited` walks, with fewer octets."""
    with running_system(tmp_path) as system, system.road() as road:
        road.register(new_identifier(), PASSWORD)
        road.choose("unlimited")
        road.buy()
        road.order()
        road.download(break_off=True)
        road.store()
        road.leave_wifi()
        road.switch_line_on()
        road.browse_without_limit(30_000_000)
        road.live_until_the_end(system.pass_days)
        road.return_to_wifi()
        walked = road.walked
        assert walked.traffic is not None
        assert walked.traffic.delivered_octets > 30_000_000
        assert not walked.traffic.cut_off
        assert (walked.network_said, walked.final["state"]) == ("control_only", "expired")
        system.stop()
        account = system.account(walked.session_id)
        assert account.used == account.credited == walked.traffic.delivered_octets
        assert account.overrun == 0
        earned = control_rows(
            system.data_dir, "SELECT sum(amount_kobo) FROM book_line WHERE account = 'earned_revenue'"
        )
        assert earned == [(-80_000,)]


def test_a_server_killed_between_checkout_and_pass_goes_on(tmp_path: Path) -> None:
    """Kill it with the checkout open, and again when the notice may have come: settled once, and the book whole."""
    with running_system(tmp_path) as system, system.road() as road:
        road.register(new_identifier(), PASSWORD)
        payment = _send(road, "payments", {"offer_id": "unlimited"}).json()
        system.kill("server")
        assert httpx2.post(f"{payment['checkout_url']}/pay-twice").status_code == 303  # and nobody hears it
        system.start_one("server")
        time.sleep(0.1)
        system.kill("server")
        system.start_one("server")
        url = f"/api/v1/payments/{payment['reference']}"
        until = time.monotonic() + 40
        while road.app._get(url)["state"] != "settled" and time.monotonic() < until:
            time.sleep(0.1)
        assert road.app._get(url)["state"] == "settled"
        assert len(road.app.current_pass()["periods"]) == 1
        system.stop()
        assert control_rows(system.data_dir, "SELECT count(*), sum(amount_kobo) FROM book_line") == [(3, 0)]
