"""Web Push in a real browser: it subscribes, shows messages with no page open, and unsubscribes.

A profile that stays is no private window, so ``pushManager.subscribe`` is allowed; the push service of its
maker is stood in for on this machine (`tests/support/browser_push.py`). All else is real: the app subscribes, the
server sends, the browser decrypts and the service worker shows.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.browser.app.conftest import ARGUMENTS, Kswifi, chromium_here
from tests.support.app_page import PASSWORD, PHONE, AppPage, in_context
from tests.support.browser_push import BrowserPush, browser_push
from tests.support.system import running_system

pytestmark = pytest.mark.timeout(240)  # a whole browser of its own, and a busy machine


MEGABYTE = 1_000_000
CLOSED = "Also when the app is closed"


@pytest.fixture(scope="module")
def push(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserPush]:
    with browser_push(tmp_path_factory.mktemp("push")) as service:
        yield service


@pytest.fixture(scope="module")
def kswifi(push: BrowserPush, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kswifi]:
    """Give a system whose server finds the browser's push service where browsers say it is."""
    reached = {"server": ("push_service_at", (push.port, str(push.keyed.pem)))}
    with running_system(tmp_path_factory.mktemp("kswifi"), alter=reached) as system:
        yield Kswifi(system, system.origin, f"http://127.0.0.1:{system.environment['KSWIFI_LAB_PORT']}")


@dataclass
class Phone:
    """The app in a browser with a profile that stays, whose owner has a session of 200 MB in use."""

    app: AppPage
    kswifi: Kswifi
    push: BrowserPush
    settings: Page
    number: str = ""

    def allow(self, notifications: bool) -> None:
        """Let this site show notifications or not, as a person does in the browser's settings."""
        asked = [self.app.origin, "notifications", "allow" if notifications else "block"]
        self.settings.evaluate("(asked) => chrome.send('setOriginPermissions', asked)", asked)

    def allow_messages(self) -> None:
        """Turn on push messages on the page of the session."""
        self.app.link("Details")
        self.app.button("Message me")
        self.app.sees("You get a message, also when the app is closed.")
        assert self.push.senders() == [self.standing()["application_server_key"]]

    def standing(self) -> dict[str, Any]:
        """Return what the server says about the subscriptions and their push services."""
        answer: dict[str, Any] = self.app.context.request.get(f"{self.app.origin}/api/v1/notifications").json()
        return answer

    def services(self) -> set[str]:
        return {one["service"] for one in self.standing()["subscriptions"]}

    def close(self) -> None:
        """Close the app: no page of it is open, and its service worker sleeps."""
        self.app.page.close()
        devtools = self.app.context.new_cdp_session(self.settings)
        devtools.send("ServiceWorker.enable")
        devtools.send("ServiceWorker.stopAllWorkers")

    def reopen(self, screen: str = "") -> None:
        """Open the app again, in a new tab."""
        self.app.page = self.app.new_tab()
        self.app.open(screen)

    def spend(self, percent: int, *answers: int) -> None:
        """Use up so much of the session; the push service must answer what is sent then by these."""
        before = len(self.push.sent)
        self.kswifi.spend(2 * MEGABYTE * percent)
        within(60, lambda: sorted(self.push.sent[before:]) == sorted(answers), lambda: self.push.sent[before:])

    def shown(self) -> list[str]:
        """What the browser shows, asked from a picture of the site's: no page of the app is opened for that."""
        page = self.app.context.new_page()
        page.goto(f"{self.app.origin}/app/icons/icon.svg")
        bodies: list[str] = page.evaluate(
            """navigator.serviceWorker.getRegistration()
            .then((one) => one.getNotifications()).then((all) => all.map((it) => it.body))"""
        )
        page.close()
        return bodies


def within(seconds: float, holds: Callable[[], bool], words: Callable[[], object] = str) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"that did not happen in time: {words()}"
        time.sleep(0.1)


@pytest.fixture
def phone(push: BrowserPush, kswifi: Kswifi, tmp_path: Path) -> Iterator[Phone]:
    given: dict[str, Any] = {"executable_path": chromium_here(), "headless": False, **PHONE}
    arguments = ["--headless=new", *ARGUMENTS, *push.switches]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(tmp_path, args=arguments, **given)
        with in_context(context, kswifi.origin) as app:
            one = Phone(app, kswifi, push, context.pages[0])
            one.settings.goto("chrome://settings/content/notifications")
            one.allow(True)
            one.number = app.open().register()
            app.store("free-200mb")
            app.activate()
            kswifi.lab("/phone/wifi", {"on": False})
            kswifi.spend(MEGABYTE)
            app.heading("Session Active")
            yield one
    push.registrations.clear()
    push.sent.clear()


def test_messages_arrive_with_no_page_open_until_the_person_turns_them_off(phone: Phone) -> None:
    phone.allow_messages()
    phone.close()
    phone.spend(55, 201)
    within(40, lambda: phone.shown() == ["50 % of your 200MB session is used"])
    # While the app still asks the server how things stand: that must not undo what its owner says now.
    asked: list[Route] = []
    phone.app.context.route("**/api/v1/notifications", lambda one: asked.append(one))  # noqa: PLW0108 - playwright wraps it
    phone.reopen("settings")
    closed = phone.app.page.get_by_role("switch", name=re.compile(CLOSED))
    expect(closed).to_be_checked()
    closed.click()
    phone.app.page.wait_for_timeout(500)
    for one in asked:
        one.continue_()
    phone.app.context.unroute("**/api/v1/notifications")
    expect(closed).not_to_be_checked(timeout=20_000)
    within(40, lambda: not phone.push.senders())
    within(40, lambda: not phone.services())
    phone.kswifi.spend(60 * MEGABYTE)
    phone.app.sees("80 % of your 200MB session is used")
    assert (phone.push.sent, phone.shown()) == ([201], ["50 % of your 200MB session is used"])


def test_what_the_browser_or_its_push_service_takes_away_is_made_anew_or_told_honestly(phone: Phone) -> None:
    phone.allow_messages()
    lost = phone.services()
    phone.push.registrations.clear()
    phone.spend(55, 404)
    within(40, lambda: phone.services() < lost)
    phone.app.page.reload()
    within(40, lambda: phone.services() == lost)
    (token,) = phone.push.registrations
    phone.close()
    phone.allow(False)
    within(40, lambda: token not in phone.push.registrations)
    phone.allow(True)
    within(40, lambda: len(phone.standing()["subscriptions"]) == len(lost) + 1)
    assert phone.push.senders() == [phone.standing()["application_server_key"]]
    phone.spend(30, 201, 404)
    within(40, lambda: phone.shown() == ["80 % of your 200MB session is used"])
    phone.allow(False)
    phone.app.context.add_init_script("Notification.requestPermission = async () => (window.asked = 'denied')")
    phone.reopen("settings")
    expect(phone.app.page.get_by_role("switch", name=re.compile(CLOSED))).not_to_be_checked()
    assert phone.app.page.evaluate("window.asked") is None
    phone.spend(12, 404)
    within(40, lambda: not phone.services())


def test_a_device_that_was_signed_out_shows_nothing_of_its_last_owner(phone: Phone) -> None:
    phone.allow_messages()
    phone.app.context.clear_cookies()
    phone.app.page.close()
    phone.reopen()
    phone.app.page.get_by_role("link", name="Make an account").wait_for()
    phone.close()
    phone.spend(55, 201)
    within(40, lambda: not phone.push.senders())
    assert not [body for body in phone.shown() if "200MB" in body]


def test_a_device_whose_push_service_refuses_the_server_is_shown_as_off_and_can_be_turned_on_again(
    phone: Phone,
) -> None:
    phone.allow_messages()
    phone.push.refuses = True
    phone.spend(55, 403)
    within(40, lambda: any(one["refused_since"] for one in phone.standing()["subscriptions"]))
    phone.app.page.reload()
    phone.app.page.get_by_role("button", name="Message me").wait_for()
    within(20, lambda: phone.push.senders() == [])
    phone.push.refuses = False
    phone.app.button("Message me")
    phone.app.sees("You get a message, also when the app is closed.")
    within(20, lambda: not any(one["refused_since"] for one in phone.standing()["subscriptions"]))
    phone.spend(30, 201)


def test_a_sign_in_on_a_new_device_is_shown_with_no_page_open(phone: Phone) -> None:
    phone.allow_messages()
    phone.close()
    login = {"identifier": phone.number, "password": PASSWORD}
    answer = httpx2.post(f"{phone.app.origin}/api/v1/logins", json=login)
    assert answer.status_code == 201
    within(40, lambda: phone.shown() == ["Your sign-in changed, or a new device signed in. Was it you?"])
