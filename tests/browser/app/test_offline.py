"""What the app does on a bad network, and with none."""

import json
import re

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import PASSWORD, device


def test_a_download_that_breaks_off_goes_on_where_it_was_after_a_reload(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        asked: list[str | None] = []
        app.context.on(
            "request",
            lambda sent: asked.append(sent.headers.get("range")) if sent.url.endswith("/package") else None,
        )
        with app.held_package() as release:
            app.choose("1GB")
            app.sees("700 B of")
            app.page.reload()
            app.sees("700 B of")
            release()
            app.heading("Session ready for activation")
        assert len(asked) > 1
        assert asked == [None] + ["bytes=700-"] * (len(asked) - 1)


def test_a_lost_network_in_mid_download_is_waited_for(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.page.get_by_role("link", name="Download Internet Session").click()
        app.heading("Choose a session")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.context.route("**/package", lambda route: route.abort())
        app.button("Download Session")
        app.sees("No answer from the network")
        app.context.unroute("**/package")
        app.heading("Session ready for activation")


def test_without_a_network_it_starts_shows_verifies_and_keeps_what_is_asked_for(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.page.wait_for_function(
            "navigator.serviceWorker.controller || navigator.serviceWorker.ready.then(() => true)"
        )
        app.context.set_offline(True)
        app.open("home")
        app.page.reload()
        app.sees("You are offline.")
        app.page.get_by_role("link", name=re.compile("1 GB")).click()
        app.heading("Ready when you are")
        app.sees("Signature checked on this phone")
        app.sees("Switch the line on")
        app.button("Activate Session")
        app.sees("Waiting for the network.")
        app.page.reload()
        app.sees("Waiting for the network.")
        expect(app.page.get_by_text("Session Active")).to_have_count(0)
        app.open("help").heading("Help")
        app.page.get_by_label("Search").fill("without wifi switch")
        app.sees("How do I switch it on without WiFi?")
        app.context.set_offline(False)
        app.open("home")
        expect(app.page.get_by_text("WAITING FOR THE NETWORK")).to_have_count(0, timeout=20_000)


def test_a_package_that_was_tampered_with_is_refused(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.tamper()
        app.link("Activate Session")
        app.sees("This session cannot be trusted")
        expect(app.page.get_by_text("Signature checked on this phone")).to_have_count(0)


def test_signing_out_wipes_the_device(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        number = app.open().register()
        app.store()
        app.open("settings").heading("You")
        app.button("Sign out")
        app.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        app.sees("WiFi now. Internet later.")
        kept = app.page.evaluate(
            """async () => { const all = {};
            const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
            const opened = await done(indexedDB.open("kswifi"));
            for (const name of opened.objectStoreNames)
              all[name] = await done(opened.transaction(name).objectStore(name).getAllKeys());
            return all; }"""
        )
        assert set(kept.pop("kv")) <= {"preferences", "offers", "environment"}
        assert not any(kept.values())
        assert number[-4:] not in app.page.content()
        cookies = {cookie["name"] for cookie in app.context.cookies()}
        # The device cookie names no user: it gives this browser its own counter of wrong passwords.
        assert cookies <= {"kswifi_login_device"}


def test_my_data_is_saved_and_my_account_deleted_from_the_screen(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open()
        number = app.register()
        app.open("settings").heading("You")
        app.link(re.compile("Devices, password"))
        app.heading("Sign-in and security")
        with app.page.expect_download() as download:
            app.link("Save my data")
        saved = json.loads(download.value.path().read_text(encoding="utf-8"))
        assert saved["account"]["phone_number"] == f"+234{number[1:]}"
        app.button("Delete my account")
        dialog = app.page.get_by_role("dialog")
        dialog.get_by_label("Password").fill("not the password")
        dialog.get_by_role("button", name="Delete my account").click()
        app.sees("password is wrong")
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Delete my account").click()
        app.sees("Your account is deleted.")
        app.sees("WiFi now. Internet later.")
        app.open("account").heading("Welcome back")
        app.page.get_by_label("Phone number or email").fill(number)
        app.page.get_by_label("Password").fill(PASSWORD)
        app.button("Sign In")
        app.sees("password is wrong")
