"""Push messages while no page is open: offered at a good moment, sent by the lab's push service to the browser."""

import json
import re

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import AppPage, device

CLOSED = re.compile("Also when the app is closed")


def deliver(app: AppPage, message: dict[str, object]) -> None:
    """Hand the service worker a push message, as the browser's push service does."""
    session = app.context.new_cdp_session(app.page)
    versions: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda e: versions.extend(one["registrationId"] for one in e["registrations"]),
    )
    session.send("ServiceWorker.enable")
    app.page.wait_for_timeout(200)
    sent = {"origin": app.origin, "registrationId": versions[-1], "data": json.dumps(message)}
    session.send("ServiceWorker.deliverPushMessage", sent)


def test_the_phone_shows_the_notifications_that_its_owner_asked_for(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.context.grant_permissions(["notifications"], origin=app.origin)
        app.open().register()
        expect(app.page.get_by_role("button", name="Message me")).to_have_count(0)
        app.store()
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(1_000_000)
        app.heading("Session Active")
        app.link("Details")
        app.button("Message me")
        app.sees("You get a message, also when the app is closed.")
        kswifi.spend(520_000_000)
        app.page.goto(f"{app.origin}/lab")
        app.sees("Notifications")
        app.sees("50 % of your 1GB session is used")
        app.open("settings").heading("You")
        closed = app.page.get_by_role("switch", name=CLOSED)
        expect(closed).to_be_checked()
        closed.uncheck()
        expect(closed).not_to_be_checked()
        app.page.reload()
        expect(closed).not_to_be_checked()


def test_a_push_message_becomes_words_in_the_persons_language(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.context.grant_permissions(["notifications"], origin=app.origin)
        app.open().register()
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        # Signed out, a device is emptied: the texts have to be there again for the next user.
        app.link("You")
        app.button("Sign out")
        app.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        app.register()
        app.link("You")
        app.page.get_by_role("switch", name=CLOSED).click()
        expect(app.page.get_by_role("switch", name=CLOSED)).to_be_checked()
        message: dict[str, object] = {
            "what": "share",
            "percent": 80,
            "session_id": "s",
            "allowance_octets": 3_000_000_000,
            "valid_until": 1_800_000_000,
        }
        deliver(app, message)
        deliver(app, message | {"what": "ends", "percent": None})
        app.page.wait_for_function(
            "navigator.serviceWorker.ready.then(async (one) => (await one.getNotifications()).length === 2)"
        )
        told = app.page.evaluate(
            """navigator.serviceWorker.ready.then(async (one) =>
            (await one.getNotifications()).map(({ body, data, tag }) => ({ body, data, tag })))"""
        )
        bodies = {one["body"] for one in told}
        assert "80 % of your 3GB session is used" in bodies
        assert any(body.startswith("Your 3GB session ends Fri") for body in bodies)
        assert {one["data"] for one in told} == {"/#/session/s"}
