"""Each road ends although the network loses any one of its answers: activating, pausing, and passkeys.

A road is walked once for each of its requests. The answer to that request is lost; the server has done its work.
"""

import re
import time

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import AUTHENTICATOR, Kswifi
from tests.support.app_page import PASSWORD, AppPage, device
from tests.support.long_runs import each_answer
from tests.support.own_phone import Lost, own_phone

API = r"/api/v1/(?!events|connection|venues)"


def ended(app: AppPage) -> None:
    """See that nothing waits to be sent any more."""
    expect(app.page.get_by_text("Waiting for the network.")).to_have_count(0, timeout=45_000)


@each_answer(3, always=())
def test_activating_ends_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.link("Activate Session")
        app.heading("Ready when you are")
        app.sees("Signature checked")
        lost = Lost(app.page, API, which)
        app.button("Activate Session")
        app.sees("The line is on.", seconds=45)
        ended(app)
        lost.stop()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(5_000_000)
        app.heading("Session Active")


@each_answer(3)
def test_pausing_ends_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(5_000_000)
        app.heading("Session Active")
        app.link("Details")
        Lost(app.page, API, which)
        app.button("Pause Session")
        expect(app.page.get_by_role("button", name="Continue Session")).to_be_visible(timeout=45_000)
        ended(app)


@each_answer(3)
def test_writing_that_something_is_wrong_is_done_once_whichever_answer_is_lost(
    kswifi: Kswifi, browser: Browser, which: int
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(5_000_000)
        app.heading("Session Active")
        app.link("Details")
        app.page.get_by_text("Something wrong with it?").click()
        app.page.get_by_label("What is wrong?").fill("I was asleep then.")
        Lost(app.page, r"/disputes", which)
        app.button("Send it")
        ended(app)
        expect(app.page.get_by_text("You wrote,")).to_have_count(1, timeout=45_000)


def virtual_authenticator(app: AppPage) -> None:
    session = app.context.new_cdp_session(app.page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def pressed_until(app: AppPage, button: str, ends: str) -> None:
    """Press a button until its road has ended, at most twice: a lost answer leaves it usable."""
    app.button(button)
    app.page.get_by_text(re.compile(f"{re.escape(ends)}|No answer from the network")).first.wait_for(timeout=30_000)
    if not app.page.get_by_text(ends).count():
        expect(app.page.get_by_role("button", name=button, exact=True)).to_be_enabled()
        app.button(button)
    app.sees(ends, seconds=30)


@each_answer(3)
def test_passkeys_sign_up_and_in_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with device(browser, kswifi.origin) as app:
        virtual_authenticator(app)
        app.open("account/new").heading("Make your account")
        app.page.get_by_label("Phone number or email").fill(f"0807{time.time_ns() // 1000 % 10_000_000:07d}")
        paths = r"/api/v1/(accounts/passkey|logins/passkey|account/recovery-code)"
        lost = Lost(app.page, paths, which)
        pressed_until(app, "Sign Up with a Passkey", "Write this down")
        lost.stop()
        app.button("I wrote it down")
        app.sees("No sessions yet")
        app.open("settings").heading("You")
        app.button("Sign out")
        app.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        app.sees("WiFi now. Internet later.")
        app.open("account").heading("Welcome back")
        Lost(app.page, paths, which)
        pressed_until(app, "Sign In with a Passkey", "No sessions yet")


@each_answer(2)
def test_a_passkey_is_added_once_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with device(browser, kswifi.origin) as app:
        virtual_authenticator(app)
        app.open().register()
        app.open("security").heading("Sign-in and security")
        app.button("Add a passkey")
        form = app.page.locator("form", has=app.page.get_by_role("button", name="Add a passkey"))
        form.get_by_label("Password").fill(PASSWORD)
        lost = Lost(app.page, r"/api/v1/passkeys(/options)?$", which)
        form.get_by_role("button", name="Add a passkey").click()
        app.sees("No answer from the network")
        form.get_by_role("button", name="Add a passkey").click()
        app.sees(re.compile("The passkey is added|This device has a passkey already"))
        lost.stop()
        app.page.reload()
        expect(app.page.get_by_role("button", name=re.compile("^Remove "))).to_have_count(1)


@each_answer(4, always=())
def test_a_second_device_shows_the_code_whichever_answer_is_lost(
    kswifi: Kswifi, browser: Browser, which: int
) -> None:
    with own_phone(browser, kswifi.origin) as app:
        app.open().register()
        app.choose("1GB")
        app.button("Yes, download")
        app.heading("Waiting for your phone")
        session = app.page.url.rpartition("/")[2]
        state = app.context.storage_state()
        with own_phone(browser, kswifi.origin, storage_state=state) as other:
            asked: list[str] = []
            other.page.on("request", lambda sent: asked.append(sent.url))
            Lost(other.page, r"/api/v1/(sessions|account$)|/\.well-known/", which)
            other.open(f"activate/{session}")
            code = other.page.get_by_alt_text("QR code that installs the eSIM")
            again = other.page.get_by_role("button", name="Try again")
            code.or_(again).first.wait_for(timeout=40_000)
            if not code.count():
                again.click()
            expect(code).to_be_visible(timeout=30_000)
            # A download that is complete and was not verified yet is not asked for again and again.
            assert len([url for url in asked if url.endswith("/package")]) <= 4
