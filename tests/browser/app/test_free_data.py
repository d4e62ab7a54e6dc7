"""Where free data asks for a phone number or a voucher first: the person is led there, and told what is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from kswifi.cli.money.vouchers import _codes
from tests.browser.app.conftest import Kswifi, running
from tests.support.app_page import AppPage, device
from tests.support.app_screens import check_looks, check_screen


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kswifi]:
    """A KSWiFi whose free data asks for one or the other."""
    with running(tmp_path_factory.mktemp("asking"), KSWIFI_FREE_REQUIRES="phone_or_voucher") as system:
        yield system


def vouchers(system: Kswifi, *words: str) -> str:
    """Call `kswifi vouchers` while the server runs."""
    command = [sys.executable, "-m", "kswifi", "vouchers", *words]
    environment = os.environ | system.system.environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def codes_of(system: Kswifi, monkeypatch: pytest.MonkeyPatch, venue: str) -> tuple[str, list[str]]:
    """Have a batch of two made; return its number, and the codes as its sheet has them."""
    before = [int(one) for one in re.findall(r"(\d+) redeemed", vouchers(system, "list"))]
    made = vouchers(system, "make", "--venue", venue, "--count", "2")
    found = re.match(r"batch (\d+):", made)
    assert found is not None, made
    with monkeypatch.context() as setting:
        for name, value in system.system.environment.items():
            setting.setenv(name, value)
        first = sum(before)
        return found.group(1), [_codes().code(first + at) for at in (0, 1)]


def led_to_free_data(app: AppPage) -> None:
    """From the offers that are refused, to what helps."""
    app.open("choose").heading("Choose a session")
    app.sees("A verified phone number or a voucher is needed first")
    for offer in ("1GB", "3GB", "5GB"):
        expect(app.page.get_by_role("radio", name=re.compile(offer))).to_be_disabled()
    expect(app.page.get_by_role("button", name="Download Session")).to_have_count(0)
    app.link("Phone number or voucher")
    app.heading("Free data")


def test_a_voucher_is_typed_in_and_gives_a_session(
    asking: Kswifi, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, (code, other) = codes_of(asking, monkeypatch, "Mama Put, Yaba")
    with device(browser, asking.origin) as app:
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.sees("A verified phone number or a voucher is needed first")
        assert check_screen(app.page, "28-free-data-asks", "dark") == []
        led_to_free_data(app)
        app.page.get_by_label("Code of the voucher").fill("0000-0000-0000")
        app.button("Use Voucher")
        app.sees("This is no voucher of ours: compare it sign by sign.")
        assert check_screen(app.page, "29-free-data", "dark") == []
        app.page.get_by_label("Code of the voucher").fill(code.lower().replace("-", " "))
        app.button("Use Voucher")
        app.heading("Choose a session")
        app.sees("The voucher of Mama Put, Yaba is yours: choose a session.")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")
        app.heading("Session ready for activation")
    with device(browser, asking.origin) as app:
        app.open().register()
        app.open("free").heading("Free data")
        app.page.get_by_label("Code of the voucher").fill(code)
        app.button("Use Voucher")
        app.sees("This voucher was used already: each is good once.")
        vouchers(asking, "revoke", batch)
        app.page.get_by_label("Code of the voucher").fill(other)
        app.button("Use Voucher")
        app.sees("This voucher was called back: ask at the counter for another.")
        for _ in range(9):
            if app.page.get_by_text("Too many tries").count():
                break
            app.button("Use Voucher")
            expect(app.page.get_by_role("button", name="Use Voucher")).to_be_enabled()
        app.sees("Too many tries: wait a quarter of an hour.")


def test_a_vouchers_link_opens_the_app_with_its_code_also_for_somebody_new(
    asking: Kswifi, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    _batch, (code, _other) = codes_of(asking, monkeypatch, "Cyber Café")
    with device(browser, asking.origin) as app:
        app.open(f"free/{code}").heading("Welcome back")
        app.link("Make an account")
        app.page.get_by_label("Phone number or email").fill(f"guest{os.getpid()}@example.ng")
        app.page.get_by_label("Password").fill("three warm rivers")
        app.button("Sign Up")
        app.heading("Write this down")
        app.button("I wrote it down")
        app.heading("Free data")
        expect(app.page.get_by_label("Code of the voucher")).to_have_value(code)
        app.button("Use Voucher")
        app.sees("The voucher of Cyber Café is yours: choose a session.")


def test_a_phone_number_is_verified_with_the_labs_message(asking: Kswifi, browser: Browser) -> None:
    with device(browser, asking.origin) as app:
        number = app.open().register()
        led_to_free_data(app)
        app.page.get_by_label("Phone number").fill("not a number")
        app.button("Send Me a Code")
        app.sees("A code cannot be sent to this: is it a mobile number?")
        app.page.get_by_label("Phone number").fill(number)
        app.button("Send Me a Code")
        app.sees(f"The code was sent to {number}.")
        assert check_looks(app.page, "30-phone-code") == []
        app.page.get_by_label("The code").fill("000000")
        app.button("Verify")
        app.sees(re.compile("This is not the code. Tries left: 4"))
        app.page.reload()  # nothing is lost by it
        app.sees(f"The code was sent to {number}.")
        app.page.goto(f"{app.origin}/lab")
        app.sees("in the lab's outbox, sent to nobody")
        app.page.get_by_text("in the lab's outbox").scroll_into_view_if_needed()
        assert check_looks(app.page, "31-lab-text-message") == []
        (code,) = re.findall(r"\b\d{6}\b", app.page.get_by_role("main").inner_text().partition("Text messages")[2])[
            :1
        ]
        app.open("free").heading("Free data")
        app.page.get_by_label("The code").fill(code)
        app.button("Verify")
        app.heading("Choose a session")
        app.sees("Your phone number is verified.")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")
        app.heading("Session ready for activation")
        app.open("free").heading("Free data")
        app.sees("Your phone number is verified.")
        expect(app.page.get_by_label("The code")).to_have_count(0)


def test_the_refusals_are_said_in_nigerian_pidgin_too(asking: Kswifi, browser: Browser) -> None:
    with device(browser, asking.origin) as app:
        app.open().register()
        app.open("settings").heading("You")
        app.button("Naijá")
        app.open("free")
        app.page.get_by_label("Voucher code").fill("0000-0000-0000")
        app.button("Use Voucher")
        app.sees("No be our voucher be this: check am one by one.")
