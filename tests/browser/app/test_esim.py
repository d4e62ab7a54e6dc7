"""Several sessions on one eSIM: their order and what follows is asked for here, and written onto the card."""

import re
import time

import httpx2
from playwright.sync_api import Browser, Page, Route, expect

from kswifi.rsp.session_record import RECORD_OCTETS, RecordState, state_of
from tests.browser.app.conftest import Kswifi
from tests.support.app_page import AppPage, device


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
        cards = (
            page.get_by_role("main").get_by_role("listitem").filter(has_text=re.compile(r"Number \d in the order"))
        )
        expect(cards).to_have_count(2)
        expect(cards.nth(0)).to_contain_text("1 GB")
        page.get_by_role("button", name="Up: 3GB session, 2").focus()
        page.keyboard.press("Enter")
        expect(cards.nth(0)).to_contain_text("3 GB")
        expect(page.get_by_role("button", name="Up: 3GB session, 1")).to_be_focused()
        expect(page.get_by_role("button", name="Up: 3GB session, 1")).to_have_attribute("aria-disabled", "true")
        page.get_by_role("switch", name=re.compile("Continue with the next")).check()
        expect(page.get_by_text("The network has not answered yet")).to_have_count(0, timeout=20_000)
        expect(page.get_by_text("Not on the eSIM yet")).to_have_count(0, timeout=20_000)
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
        app.sees("Waiting for the network.")
        page.wait_for_timeout(1000)
        app.sees("Waiting for the network.")
        app.context.set_offline(False)
        expect(page.get_by_text("Waiting for the network.")).to_have_count(0, timeout=20_000)
        expect(switch).to_be_checked()


def wait_for_card(kswifi: Kswifi, page: Page, wanted: dict[str, tuple[int, bool]]) -> None:
    """Wait until the card says these places of these sessions, and whether the next follows."""
    until = time.monotonic() + 20
    while True:
        said = {key: (it.place, it.continue_with_next) for key, it in card_report(kswifi).items() if key in wanted}
        if said == wanted:
            return
        assert time.monotonic() < until, said
        page.wait_for_timeout(300)


def kept_sessions(app: AppPage) -> dict[str, dict[str, str]]:
    """What the device keeps of its sessions, by the name of their offer."""
    kept = app.page.evaluate(
        """() => new Promise((resolve) => { indexedDB.open("kswifi").onsuccess = (opened) => {
        const all = opened.target.result.transaction("sessions").objectStore("sessions").getAll();
        all.onsuccess = () => { opened.target.result.close(); resolve(all.result); }; }; })"""
    )
    return {one["offer_id"]: one for one in kept}


def two_sessions(app: AppPage) -> tuple[str, str, str]:
    """Bring 1 GB and 3 GB onto the eSIM; return their ids without hyphens, and the ICCID."""
    app.open().register()
    app.store("1GB")
    app.open("home")
    app.store("3GB")
    kept = kept_sessions(app)
    first, second = (kept[offer]["session_id"].replace("-", "") for offer in ("free-1gb", "free-3gb"))
    return first, second, kept["free-1gb"]["iccid"]


def ask_for_the_second_first(app: AppPage) -> None:
    app.open("esim").heading("Sessions on this eSIM")
    app.button("Up: 3GB session, 2")
    unconfirmed = app.page.get_by_text(re.compile("Waiting for the network|has not confirmed it yet"))
    expect(unconfirmed).to_have_count(0, timeout=20_000)


def slowly(route: Route) -> None:
    time.sleep(0.7)
    route.continue_()


def test_what_waits_is_carried_on_any_screen_once_there_is_wifi_and_by_one_tab_at_a_time(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        first, second, _iccid = two_sessions(app)
        kswifi.lab("/phone/wifi", {"on": False})
        ask_for_the_second_first(app)
        app.sees("Not on the eSIM yet")
        app.open("help").heading("Help")
        other = app.new_tab()
        other.goto(f"{app.origin}/#/settings")
        expect(other.get_by_role("heading", level=1, name="You")).to_be_attached()
        refused: list[str] = []
        handed: list[str] = []
        app.context.on("response", lambda got: refused.append(got.url) if got.status == 409 else None)
        app.context.on("request", lambda sent: handed.append(sent.url) if sent.url.endswith("/packet") else None)
        assert card_report(kswifi)[second].place == 2
        kswifi.lab("/phone/wifi", {"on": True})
        wait_for_card(kswifi, app.page, {first: (2, False), second: (1, False)})
        # Both tabs receive the event at the same moment: one carries the packet, slowly; the other finds none left.
        app.context.route(f"{kswifi.lab_origin}/phone/card/packet", slowly)
        app.open("esim").heading("Sessions on this eSIM")
        for name, places in (("Up: 1GB session, 2", (1, 2)), ("Up: 3GB session, 2", (2, 1))):
            app.button(name)
            wait_for_card(kswifi, app.page, {first: (places[0], False), second: (places[1], False)})
        app.page.wait_for_timeout(1500)
        assert refused == []
        assert len([url for url in handed if url.startswith(kswifi.lab_origin)]) == 6
        other.close()


def test_where_the_esim_is_off_the_app_says_so_and_it_is_carried_once_it_is_used(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        first, second, iccid = two_sessions(app)
        with device(browser, kswifi.origin) as somebody:
            somebody.open().register()
            somebody.store("1GB")  # their profile is the one in use now
        ask_for_the_second_first(app)
        app.sees("This eSIM is off.")
        app.open("home").heading("Your internet")
        app.sees("This eSIM is off.")
        app.open("esim")
        app.link("Open the lab phone")
        app.sees("What the card reports")
        mine = app.page.get_by_role("listitem").filter(has_text=iccid)
        mine.get_by_role("button", name="Use it").click()
        expect(mine.get_by_text("ENABLED")).to_be_visible()
        app.page.goto(app.origin)
        wait_for_card(kswifi, app.page, {first: (2, False), second: (1, False)})
