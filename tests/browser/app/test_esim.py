"""Several sessions on one eSIM: their order and what follows is asked for here, and written onto the card."""

import re
import time

import httpx2
from playwright.sync_api import Browser, expect

from kswifi.rsp.session_record import RECORD_OCTETS, RecordState, state_of
from tests.browser.app.conftest import Kswifi
from tests.support.app_page import device


def card_report(kswifi: Kswifi) -> dict[str, RecordState]:
    """What the lab phone's card says of each session's place, by the session's id without hyphens."""
    records = httpx2.get(f"{kswifi.lab_origin}/phone", headers={"X-KSWiFi-Lab": "1"}, timeout=30).json()["records"]
    states = {hexed[2:34]: state_of(bytes.fromhex(hexed)) for hexed in records if len(hexed) > 2 * RECORD_OCTETS}
    return {session: state for session, state in states.items() if state is not None}


def test_the_order_and_the_switch_reach_the_card(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        page = app.open().page
        app.register()
        app.store("1GB")
        app.open("home")
        app.store("3GB")
        app.open("esim").heading("Sessions on this eSIM")
        cards = page.get_by_role("main").get_by_role("listitem").filter(has_text=re.compile(r"Place \d, record"))
        expect(cards).to_have_count(2)
        expect(cards.nth(0)).to_contain_text("1 GB")
        page.get_by_role("button", name="Up: 3GB session, 2").focus()
        page.keyboard.press("Enter")
        expect(cards.nth(0)).to_contain_text("3 GB")
        expect(page.get_by_role("button", name="Up: 3GB session, 1")).to_be_focused()
        expect(page.get_by_role("button", name="Up: 3GB session, 1")).to_have_attribute("aria-disabled", "true")
        page.get_by_role("switch", name=re.compile("Continue with the next")).check()
        expect(page.get_by_text("The network has not answered yet")).to_have_count(0, timeout=20_000)
        expect(page.get_by_text("Will be written at the next WiFi")).to_have_count(0, timeout=20_000)
        expect(cards.nth(0)).to_contain_text("3 GB")
        first, second = (
            (cards.nth(at).get_by_role("link").get_attribute("href") or "").rpartition("/")[2].replace("-", "")
            for at in (0, 1)
        )
        until = time.monotonic() + 20
        while (said := {key: (it.place, it.continue_with_next) for key, it in card_report(kswifi).items()}) != {
            first: (1, True),
            second: (2, True),
        }:
            assert time.monotonic() < until, said
            page.wait_for_timeout(300)
        page.goto(f"{app.origin}/lab")
        app.sees("Place 2 in the order of use · Continue with the next")


def test_what_is_asked_for_offline_is_an_intent_until_the_ledger_has_confirmed_it(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        page = app.open().page
        app.register()
        app.store("1GB")
        app.open("esim").heading("Sessions on this eSIM")
        switch = page.get_by_role("switch", name=re.compile("Continue with the next"))
        expect(switch).not_to_be_checked()
        app.context.set_offline(True)
        switch.check()
        app.sees("You asked for this.")
        page.wait_for_timeout(1000)
        app.sees("You asked for this.")
        app.context.set_offline(False)
        expect(page.get_by_text("You asked for this.")).to_have_count(0, timeout=20_000)
        expect(switch).to_be_checked()
