"""Two phones: a gift goes from one to the other, and a session moves to a new phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import PASSWORD, AppPage, device
from tests.support.app_screens import check_screen

SMALL: dict[str, Any] = {"viewport": {"width": 360, "height": 640}}


def sign_in(app: AppPage, identifier: str) -> None:
    app.open("account").heading("Welcome back")
    app.page.get_by_label("Phone number or email").fill(identifier)
    app.page.get_by_label("Password").fill(PASSWORD)
    app.button("Sign In")
    app.heading("Your internet")


def test_a_gift_goes_to_somebody_who_has_no_account_yet(kswifi: Kswifi, browser: Browser) -> None:
    wrong: list[str] = []
    with device(browser, kswifi.origin, **SMALL) as giver, device(browser, kswifi.origin, **SMALL) as receiver:
        giver.open().register()
        giver.store()
        giver.open("gifts").heading("Gifts")
        giver.link(re.compile("^Give some away"))
        giver.heading("Give some away")
        slider = giver.page.get_by_role("slider", name="How much?")
        expect(slider).to_have_attribute("aria-valuetext", "500 MB")
        slider.press("ArrowRight")
        giver.sees("You keep 450 MB")
        wrong += check_screen(giver.page, "40-give", "own")
        giver.button("Make the gift")
        giver.sees("Waiting to be claimed, until")
        assert giver.page.get_by_alt_text("QR code with the link").evaluate("(one) => one.naturalWidth") > 100
        link = giver.page.get_by_text(re.compile(r"/#/gift/")).inner_text()
        wrong += check_screen(giver.page, "41-gift-to-share", "own")
        receiver.page.goto(link)
        receiver.heading("Somebody gave you 550 MB")
        wrong += check_screen(receiver.page, "42-gift-before-sign-up", "own")
        receiver.register_from_here()
        receiver.heading("Somebody gave you 550 MB")
        receiver.button("Claim It")
        receiver.heading("Session ready for activation")
        receiver.open("home").sees("550")
        giver.sees("Given. They can use it.")
        giver.open("gifts").heading("Gifts")
        giver.sees(re.compile("450 MB left"))
        # Without a network the screen and the list are there.
        giver.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        giver.page.reload()
        giver.sees("Given. They can use it.")
        giver.context.set_offline(True)
        giver.page.reload()
        giver.sees("Given. They can use it.")
        giver.context.set_offline(False)
    assert "\n".join(wrong) == ""


def test_a_lost_phone_moves_once_the_owner_confirms_on_a_device_that_was_signed_in_before(
    kswifi: Kswifi, browser: Browser
) -> None:
    wrong: list[str] = []
    with device(browser, kswifi.origin, **SMALL) as old, device(browser, kswifi.origin, **SMALL) as new:
        identifier = old.open().register()
        old.store()
        sign_in(new, identifier)
        new.open("settings").heading("You")
        new.link("New or lost phone, or eSIM deleted?")
        new.heading("New phone, lost phone, deleted eSIM")
        new.button("Stop the Old eSIM and Move")
        new.sees("Say what happened.")
        new.page.get_by_role("radio", name=re.compile("I have a new phone")).check()
        new.sees("Giving it back is quicker than moving it.")
        wrong += check_screen(new.page, "43-what-happened", "own")
        new.button("Stop the Old eSIM and Move")
        new.heading("Your move")
        new.sees(re.compile("The move begins .*\\d"))
        expect(new.page.get_by_role("button", name="Confirm on this device")).to_have_count(0)
        new.page.get_by_label("Recovery code").fill("AAAA BBBB CCCC DDDD EEEE FFFF")
        new.button("Confirm with the code")
        new.sees("This did not confirm it")
        wrong += check_screen(new.page, "44-move-waits", "own")
        old.sees("A move to a new phone was asked for")
        old.link("Details")
        old.heading("Your move")
        old.button("Confirm on this device")
        new.heading("Your sessions are moving")
        wrong += check_screen(new.page, "45-moving", "own")
        new.button("Download onto This Phone")
        new.heading("Session ready for activation")
        new.open("move").sees("Moved to your new eSIM", seconds=30)
    assert "\n".join(wrong) == ""


def test_the_next_session_comes_by_itself_on_wifi_and_my_use_shows_what_was_used(
    kswifi: Kswifi, browser: Browser
) -> None:
    wrong: list[str] = []
    with device(browser, kswifi.origin, **SMALL) as app:
        app.open().register()
        app.store()
        app.open("settings").heading("You")
        app.link("Download by itself")
        app.heading("Download by itself")
        app.button("20 %")
        wrong += check_screen(app.page, "48-download-by-itself", "own")
        app.button("Turn It On")
        app.sees("On. Nothing is due now.")
        kswifi.lab("/phone/line", {"on": True})
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(900_000_000)
        app.sees("Your next 1GB is ready", seconds=40)
        expect(app.page.get_by_text("is being downloaded")).to_have_count(0)  # it is due, and there is no WiFi
        kswifi.lab("/phone/line", {"on": False})
        kswifi.lab("/phone/wifi", {"on": True})
        app.sees("Your next 1GB is being downloaded.")
        app.sees("The last one was downloaded by itself.")
        app.open("home").sees("Stored sessions", seconds=40)
        app.open("usage").heading("My use")
        app.sees("900 MB")
        app.sees("What you look at is not stored.")
        app.page.evaluate("document.querySelectorAll('.toast .iconbtn').forEach((close) => close.click())")
        wrong += check_screen(app.page, "49-my-use", "own")
        with app.page.expect_download() as saving:
            app.page.get_by_role("link", name=re.compile("CSV")).first.click()
        assert b"total" in saving.value.path().read_bytes()
    assert "\n".join(wrong) == ""


@pytest.mark.soak
def test_a_background_sync_orders_what_is_due_and_the_app_downloads_it(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        workers = app.context.new_cdp_session(app.page)
        registrations: list[str] = []
        workers.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda told: registrations.extend(one["registrationId"] for one in told["registrations"]),
        )
        workers.send("ServiceWorker.enable")
        app.open().register()
        app.store()
        app.open("standing").heading("Download by itself")
        app.button("20 %")
        app.button("Turn It On")
        app.sees("On. Nothing is due now.")
        kswifi.lab("/phone/line", {"on": True})
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(900_000_000)
        app.sees("Your next 1GB is ready", seconds=40)
        event = {"origin": app.origin, "registrationId": registrations[-1], "tag": "standing"}
        workers.send("ServiceWorker.dispatchPeriodicSyncEvent", event)
        app.sees("The last one was downloaded by itself.", seconds=40)
        kswifi.lab("/phone/line", {"on": False})
        kswifi.lab("/phone/wifi", {"on": True})
        app.open("home").sees("Stored sessions", seconds=40)


@pytest.mark.soak
def test_a_line_stops_at_the_limit_of_its_owner_and_pauses_until_an_instant(
    kswifi: Kswifi, browser: Browser
) -> None:
    wrong: list[str] = []
    with device(browser, kswifi.origin, **SMALL) as app:
        app.open().register()
        app.store()
        app.open("limits").heading("Pause and daily limit")
        app.button("100 MB")
        app.button("Save the limit")
        app.sees("0 B of 100 MB used today")
        wrong += check_screen(app.page, "54-limits", "own")
        app.page.wait_for_timeout(2000)  # the ledger takes the limit
        kswifi.lab("/phone/line", {"on": True})
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(150_000_000)
        app.sees("Your own limit stopped the line.", seconds=40)
        app.page.evaluate("document.querySelectorAll('.toast .iconbtn').forEach((close) => close.click())")
        wrong += check_screen(app.page, "55-limit-reached", "own")
        assert app.left_octets() == 900_000_000
        app.open("home").sees("Your own limit for today is reached")
        app.link("Pause and daily limit")
        app.heading("Pause and daily limit")
        app.button("Lift it for today")
        app.sees("The limit is lifted until the day ends.")
        app.button("Until morning")
        app.button("Pause It")
        app.sees(re.compile("^Paused until"))
        app.button("Continue Session")
        expect(app.page.get_by_text(re.compile("^Paused until"))).to_have_count(0, timeout=20_000)
    assert "\n".join(wrong) == ""


@pytest.mark.soak
def test_a_part_of_a_session_is_shared_with_another_esim_of_the_same_account(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin, **SMALL) as app:
        app.open().register()
        app.store("3GB")
        app.page.evaluate(
            """() => new Promise((resolve) => { indexedDB.open("kswifi").onsuccess = (opened) => {
            const store = opened.target.result.transaction("kv", "readwrite").objectStore("kv");
            store.put(true, "new_esim").onsuccess = () => { opened.target.result.close(); resolve(); }; }; })"""
        )
        app.open("home").heading("Your internet")
        app.store("1GB")
        app.open("gifts").heading("Gifts")
        app.link(re.compile("^Give some away 3 GB"))
        app.page.get_by_role("button", name=re.compile("^My eSIM")).click()
        app.button("Move it to that eSIM")
        app.heading("Session ready for activation")
        app.open("gifts").sees("To another eSIM of yours. It is there.")
        app.sees("1.5 GB left")
