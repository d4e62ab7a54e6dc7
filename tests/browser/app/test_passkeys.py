"""Passkeys, with Chromium's virtual authenticator in the place of the phone's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import AUTHENTICATOR, Kswifi
from tests.support.app_page import PASSWORD, AppPage, device


@contextmanager
def with_authenticator(browser: Browser, origin: str) -> Iterator[tuple[AppPage, str]]:
    """A device with a fingerprint reader, say; and its id in the browser's protocol."""
    with device(browser, origin) as app:
        session = app.context.new_cdp_session(app.page)
        session.send("WebAuthn.enable")
        added = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield app, added["authenticatorId"]


def test_an_account_is_made_opened_and_ended_without_a_password(kswifi: Kswifi, browser: Browser) -> None:
    with with_authenticator(browser, kswifi.origin) as (app, _):
        page = app.open().page
        app.link("Make an account")
        app.button("Sign Up with a Passkey")
        app.heading("Make your account")  # without a name the browser points to the field
        page.get_by_label("Phone number or email").fill(f"key{id(page)}@example.ng")
        app.button("Sign Up with a Passkey")
        app.heading("Write this down")
        app.button("I wrote it down")
        app.sees("No sessions yet")
        app.open("security").heading("Sign-in and security")
        app.sees("Sign in with your fingerprint, face or screen lock.")
        app.open("settings").heading("You")
        app.button("Sign out")
        page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        app.sees("WiFi now. Internet later.")
        app.open("account").heading("Welcome back")
        app.button("Sign In with a Passkey")
        app.sees("No sessions yet")
        app.open("security").heading("Sign-in and security")
        app.button("Delete my account")
        page.get_by_role("dialog").get_by_role("button", name="Use a passkey instead").click()
        app.sees("Your account is deleted.")
        app.open("account").heading("Welcome back")
        app.button("Sign In with a Passkey")
        app.sees("This passkey opens no account here.")


def test_a_passkey_is_added_and_removed_under_you(kswifi: Kswifi, browser: Browser) -> None:
    with with_authenticator(browser, kswifi.origin) as (app, _):
        app.open().register()
        app.open("security").heading("Sign-in and security")
        card = app.page.locator("section.card").filter(has_text="Sign in with your fingerprint")

        def again(password: str = PASSWORD) -> None:
            card.get_by_label("Password").fill(password)
            card.locator("form").get_by_role("button").first.click()

        app.button("Add a passkey")
        again("not my password")
        card.get_by_role("status").wait_for()
        again()
        app.sees("The passkey is added.")
        app.button("Add a passkey")
        again()
        app.sees("This device has a passkey already.")
        app.button("Remove Linux")
        card.locator("form").get_by_role("button", name="Use a passkey instead").click()
        app.sees("The passkey is removed.")
        expect(app.page.get_by_role("button", name="Remove Linux")).to_have_count(0)


def test_where_there_is_no_authenticator_nobody_is_offered_a_passkey(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open("account").heading("Welcome back")
        expect(app.page.get_by_role("button", name="Sign In", exact=True)).to_be_visible()
        expect(app.page.get_by_role("button", name="Sign In with a Passkey")).to_have_count(0)
