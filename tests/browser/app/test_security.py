"""Sign-in and security: devices, password, identifier and its proof, each also when an answer is lost."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi, running
from tests.support.app_page import PASSWORD, AppPage, device
from tests.support.long_runs import cases
from tests.support.own_phone import Lost

NEW_PASSWORD = "four cold mountains"


def number() -> str:
    return f"0806{time.time_ns() // 1000 % 10_000_000:07d}"


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kswifi]:
    """A KSWiFi that requires a proof of the identifier before sign-up."""
    with running(tmp_path_factory.mktemp("proving"), KSWIFI_IDENTIFIER_PROOF="true") as system:
        yield system


@contextmanager
def signed_in(browser: Browser, origin: str, identifier: str, password: str = PASSWORD) -> Iterator[AppPage]:
    """Sign in on another device."""
    with device(browser, origin) as app:
        sign_in(app.open("account"), identifier, password)
        app.sees("No sessions yet")
        yield app


def sign_in(app: AppPage, identifier: str, password: str) -> None:
    app.heading("Welcome back")
    app.page.get_by_label("Phone number or email").fill(identifier)
    app.page.get_by_label("Password").fill(password)
    app.button("Sign In")


def type_code(app: AppPage) -> None:
    """Read the code in the lab's message, and type it in."""
    app.sees("The lab sends nothing.")
    said = app.page.get_by_text(re.compile("The lab sends nothing")).inner_text()
    found = re.search(r"\b\d{6}\b", said)
    assert found, said
    app.page.get_by_label("The code").fill(found.group())
    app.button("Verify")


def test_devices_are_listed_and_signed_out_one_by_one_and_all_others(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        identifier = app.open().register()
        app.open("security").heading("Sign-in and security")
        app.sees("You are signed in on this device only.")
        expect(app.page.get_by_role("button", name="Sign out all other devices")).to_have_count(0)
        with (
            signed_in(browser, kswifi.origin, identifier) as second,
            signed_in(browser, kswifi.origin, identifier) as third,
        ):
            app.page.reload()
            others = app.page.get_by_role("button", name=re.compile("^Sign out Chrom"))
            expect(others).to_have_count(2)
            Lost(app.page, r"/api/v1/logins/(?!current$)[^/]+$")
            others.first.click()
            app.sees("No answer from the network")
            app.page.reload()  # it is signed out already
            expect(others).to_have_count(1)
            app.button("Sign out all other devices")
            expect(app.page.get_by_role("status").get_by_text("All other devices are signed out.")).to_be_visible()
            app.sees("You are signed in on this device only.")
            for other in (second, third):
                other.page.reload()
                other.sees("WiFi now. Internet later.")
        app.page.reload()
        app.heading("Sign-in and security")


@cases("lost", [False, True], always=[True])
def test_the_password_is_changed_also_when_the_first_answer_is_lost(
    kswifi: Kswifi, browser: Browser, lost: bool
) -> None:
    with device(browser, kswifi.origin) as app:
        identifier = app.open().register()
        app.open("security").heading("Sign-in and security")
        app.page.get_by_text("Change password", exact=True).click()
        form = app.page.locator("details", has_text="Change password")
        form.get_by_label("New password").fill(NEW_PASSWORD)
        form.get_by_label("Present password").fill("not the password")
        button = form.get_by_role("button", name="Change Password")
        button.click()
        app.sees("password is wrong")
        form.get_by_label("Present password").fill(PASSWORD)
        if lost:
            Lost(app.page, r"/api/v1/account/password$")
            button.click()
            app.sees("No answer from the network")
        button.click()
        app.sees("Your password is changed.")
        with device(browser, kswifi.origin) as other:
            sign_in(other.open("account"), identifier, PASSWORD)
            other.sees("password is wrong")
            other.page.get_by_label("Password").fill(NEW_PASSWORD)
            other.button("Sign In")
            other.sees("No sessions yet")


@cases("lost", [False, True], always=[True])
def test_the_identifier_is_changed_with_a_code_also_when_the_answer_is_lost(
    kswifi: Kswifi, browser: Browser, lost: bool
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.open("security").heading("Sign-in and security")
        app.page.get_by_text("Change phone number or email").click()
        form = app.page.locator("details", has_text="Change phone number or email")
        email = f"ada{time.time_ns()}@example.ng"
        form.get_by_label("Phone number or email").fill(email)
        form.get_by_role("button", name="Send Me a Code").click()
        type_code(app)
        form.get_by_label("Password").fill(PASSWORD)
        button = form.get_by_role("button", name="Change It")
        if lost:
            Lost(app.page, r"/api/v1/account/identifier$")
            button.click()
            app.sees("No answer from the network")
        button.click()
        app.sees(f"From now on you sign in with {email}.")
        with signed_in(browser, kswifi.origin, email):
            pass


@cases("lost", ["", r"/identifier-proofs/[^/]+/confirm$", r"/api/v1/accounts$"], always=[r"/api/v1/accounts$"])
def test_with_proofs_on_a_person_signs_up_with_a_code_whichever_answer_is_lost(
    proving: Kswifi, browser: Browser, lost: str
) -> None:
    with device(browser, proving.origin) as app:
        app.open("account/new").heading("Make your account")
        identifier = number()
        app.page.get_by_label("Phone number or email").fill(identifier)
        app.button("Send Me a Code")
        app.sees("A code is on its way to")
        app.page.reload()  # loses nothing
        app.page.get_by_label("The code").fill("000000")
        app.button("Verify")
        app.sees("This is not the code. Tries left: 4")
        if lost:
            Lost(app.page, lost)
        type_code(app)
        if "confirm" in lost:
            app.sees("No answer from the network")
            app.button("Verify")
        expect(app.page.get_by_label("Phone number or email")).to_have_value(identifier)
        app.page.get_by_label("Password").fill(PASSWORD)
        app.button("Sign Up")
        if lost.endswith("accounts$"):
            app.sees("No answer from the network")
            app.button("Sign Up")
        app.heading("Write this down")
        app.button("I wrote it down")
        app.sees("No sessions yet")


def test_an_owner_who_is_locked_out_by_others_signs_in_with_a_code(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        identifier = app.open().register()
    with device(browser, kswifi.origin) as app:
        sign_in(app.open("account"), identifier, "wrong password")
        app.sees("password is wrong")
        for _ in range(12):  # a burst of ten is allowed to clients that never signed in
            app.page.evaluate(
                """(identifier) => fetch("/api/v1/logins", { method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ identifier, password: "wrong password" }) }).then((one) => one.status)""",
                identifier,
            )
        app.page.get_by_label("Password").fill(PASSWORD)
        app.button("Sign In")
        app.sees("Too many tries")
        app.button("Sign in with a code that is sent to me")
        app.button("Send Me a Code")  # to the identifier that was typed in
        type_code(app)
        app.page.get_by_label("Password").fill(PASSWORD)
        app.button("Sign In")
        app.sees("No sessions yet")
