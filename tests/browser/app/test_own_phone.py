"""A phone of one's own, from "Can this phone?" to the test of the line: what the server knows guides its owner."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import AppPage
from tests.support.app_screens import check_screen
from tests.support.long_runs import cases
from tests.support.own_phone import ANDROID, IPHONE, download, own_phone

SMALL: dict[str, Any] = {"viewport": {"width": 360, "height": 640}}
FACEBOOK = ANDROID + " [FB_IAB/FB4A;FBAV/480.0.0.0;]"


def install_on(kswifi: Kswifi, code: str) -> None:
    """Have the lab's eUICC install the profile, as the owner's phone does after scanning the code."""
    kswifi.lab("/phone/profiles/download", {"activation_code": code})
    kswifi.lab("/phone/profiles/notifications", {})


def in_sight(app: AppPage, name: str, role: str = "button") -> None:
    """See the main control of a screen without scrolling."""
    expect(app.page.get_by_role(role, name=name, exact=True).first).to_be_in_viewport(ratio=1)  # type: ignore[arg-type]


@cases("user_agent", [IPHONE, ANDROID], always=[ANDROID])
def test_the_road_is_guided_by_what_the_server_knows(kswifi: Kswifi, browser: Browser, user_agent: str) -> None:
    wrong: list[str] = []
    with own_phone(browser, kswifi.origin, user_agent=user_agent, **SMALL) as app:

        def see(name: str) -> None:
            if user_agent == ANDROID:
                wrong.extend(check_screen(app.page, name, "own"))

        app.open("device").heading("Can this phone?")
        in_sight(app, "Yes, it has eSIM")
        app.button("Show the list")
        app.page.get_by_label("Model").fill("galaxy s23")
        app.sees("Samsung Galaxy S23 Ultra")
        see("33-can-this-phone")
        app.button("No, it has none")
        app.sees("we will not pretend that it can")
        app.button("Yes, it has eSIM")
        in_sight(app, "Make an account", "link")
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")
        in_sight(app, "Yes, download")
        see("34-wifi-question")
        app.button("Yes, download")
        app.heading("Waiting for your phone")
        in_sight(app, "Install the eSIM", "link")
        see("35-waiting-for-the-phone")
        app.link("Install the eSIM")
        app.heading("Install the eSIM")
        app.sees("Nothing has arrived at the eSIM yet.")
        app.page.get_by_text("Steps for your phone").click()
        app.button("Tecno")
        app.sees("Download SIM instead")
        app.button("Samsung")
        expect(app.page.get_by_alt_text("Where the menu is")).to_be_visible()
        see("36-guided-installation")
        app.button("It worked")
        app.sees("We have not heard from your phone yet.")
        app.button("It was refused")
        app.sees("Is the phone on WiFi, its clock right")
        app.page.get_by_text("Set up by hand").click()
        code = app.page.get_by_text(re.compile(r"^LPA:1\$")).inner_text()
        kswifi.lab("/phone/wifi", {"on": True})
        install_on(kswifi, code)
        app.heading("Ready when you are")
        app.sees("Data Saver is on")
        in_sight(app, "Activate Session")
        see("37-before-you-switch-on")
        app.button("Test now")
        app.sees("You have internet, but not from this session", seconds=40)
    assert "\n".join(wrong) == ""


def test_a_session_for_a_lost_phone_goes_onto_a_new_esim(kswifi: Kswifi, browser: Browser) -> None:
    with own_phone(browser, kswifi.origin) as app:
        app.open().register()
        download(app)
        app.heading("Waiting for your phone")
        first = app.page.evaluate("fetch('/api/v1/esims').then((one) => one.json())")["esims"]
        app.link("Install the eSIM")
        app.button("I deleted the eSIM, or have a new phone")
        app.button("Give back and use a new eSIM")
        app.heading("Choose a session")
        app.sees("Your next session goes onto a new eSIM.")
        app.button("Download Session")
        app.button("Yes, download")
        app.heading("Waiting for your phone")
        both = app.page.evaluate("fetch('/api/v1/esims').then((one) => one.json())")["esims"]
        assert len({one["esim_id"] for one in both} - {one["esim_id"] for one in first}) == 1
        app.open("home").heading("Your internet")
        app.sees("Cancelled")
        expect(app.page.get_by_text("Taken back")).to_have_count(0)


def test_where_the_server_sees_wifi_nobody_is_asked_and_the_test_of_the_line_says_so(
    kswifi: Kswifi, browser: Browser
) -> None:
    with own_phone(browser, kswifi.origin) as app:
        app.context.unroute("**/api/v1/connection")
        app.open().register()
        with app.page.expect_response("**/api/v1/connection") as answered:
            app.open("choose").heading("Choose a session")
        answered.value.finished()
        app.page.wait_for_timeout(300)
        app.button("Download Session")
        app.heading("Waiting for your phone")
        app.link("Install the eSIM")
        app.page.get_by_text("Set up by hand").click()
        code = app.page.get_by_text(re.compile(r"^LPA:1\$")).inner_text()
        install_on(kswifi, code)
        app.heading("Ready when you are")
        app.button("Test now")
        app.sees("You are on WiFi. Turn WiFi off, and test again.")


def test_the_places_with_free_wifi_are_there_without_a_network(kswifi: Kswifi, browser: Browser) -> None:
    places = [{"name": f"Café {n}", "area": "Yaba, Lagos", "hours": "daily 8 to 22"} for n in range(8)]
    places.append({"name": "Mama Put", "area": "Ikeja, Lagos", "hours": "Mon to Sat"})
    with own_phone(browser, kswifi.origin) as app:
        app.context.route("**/api/v1/venues?*", lambda route: route.fulfill(json={"venues": places, "next": None}))
        with app.page.expect_response("**/api/v1/venues?*"):
            app.open().register()
            app.page.reload()
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        app.page.wait_for_function("caches.match('/app/js/screens/help.js').then(Boolean)")
        app.context.set_offline(True)
        app.page.goto(f"{kswifi.origin}/?from=sms#/help")
        app.link("Places with free WiFi")
        app.heading("Free WiFi near you")
        app.sees("Café 7")
        app.page.get_by_label("Name or area").fill("ikeja")
        app.sees("Mama Put")
        expect(app.page.get_by_text("Café 7")).to_have_count(0)


@pytest.mark.parametrize("language", ["English", "Naijá"])
def test_the_main_control_of_each_screen_is_in_sight_at_360_by_640(
    kswifi: Kswifi, browser: Browser, language: str
) -> None:
    with own_phone(browser, kswifi.origin, **SMALL) as app:

        def main_control(screen: str) -> None:
            app.open(screen)
            app.page.locator("main h1").wait_for(state="attached")
            control = app.page.locator("main .btn.wide:not(.quiet):not(.plain):not(.danger)").first
            expect(control, screen).to_be_in_viewport(ratio=1)
            # Nothing lies over it.
            over = control.evaluate(
                """(one) => { const at = one.getBoundingClientRect();
                const top = document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2);
                return one.contains(top) || top.outerHTML.slice(0, 80); }"""
            )
            assert over is True, (screen, over)

        app.open("settings").heading("You")
        app.button(language)
        for screen in ("home", "account/new", "account", "account/recover", "device"):
            main_control(screen)
        app.open("settings")
        app.button("English")
        app.open().register()
        app.open("settings").heading("You")
        app.button(language)
        for screen in ("home", "choose", "activate", "esim", "pass"):
            main_control(screen)


def test_nobody_signs_up_in_a_window_that_forgets(kswifi: Kswifi, browser: Browser) -> None:
    with own_phone(browser, kswifi.origin, user_agent=FACEBOOK, **SMALL) as app:
        app.open().sees("This window forgets everything.")
        expect(app.page.get_by_role("link", name="Make an account")).to_have_count(0)
        href = app.page.get_by_role("link", name="Open in Chrome").get_attribute("href") or ""
        assert re.fullmatch(r"intent://localhost:\d+/#Intent;scheme=http;package=com\.android\.chrome;end", href)
        assert check_screen(app.page, "38-window-that-forgets", "own") == []
        app.open("account/new").sees("This window forgets everything.")
        expect(app.page.get_by_role("button", name="Sign Up")).to_have_count(0)


def test_support_opens_with_the_number_of_the_case(kswifi: Kswifi, browser: Browser) -> None:
    support = {"whatsapp": "2348031234567", "phone": "+234 803 123 4567", "email": "help@kswifi.example"}
    with own_phone(browser, kswifi.origin) as app:
        app.context.unroute("**/api/v1/environment")
        app.context.route(
            "**/api/v1/environment",
            lambda route: route.fulfill(json=route.fetch().json() | {"support": support, "lab_origin": None}),
        )
        app.open().register()
        download(app)
        app.heading("Waiting for your phone")
        session = app.page.url.rpartition("/")[2]
        app.link("Install the eSIM")
        app.button("It was refused")
        whatsapp = app.page.get_by_role("link", name="WhatsApp").get_attribute("href") or ""
        assert whatsapp.startswith("https://wa.me/2348031234567?text=")
        assert session in whatsapp
        call = app.page.get_by_role("link", name=re.compile("^Call")).get_attribute("href")
        assert call == "tel:+2348031234567"


def test_what_is_refused_is_said_at_the_button_with_the_day_it_ends_and_a_reminder(
    kswifi: Kswifi, browser: Browser
) -> None:
    refusal = {
        "code": "free_allowance_used_up",
        "words": "used up",
        "do": "wait",
        "facts": {"wait_until": "2035-01-02T09:00:00+00:00"},
    }
    standing = {"waiting": False, "offers": [{"offer_id": f"free-{n}gb", "refusal": refusal} for n in (1, 3, 5)]}
    with own_phone(browser, kswifi.origin, **SMALL) as app:
        app.context.route("**/api/v1/free-data", lambda route: route.fulfill(json=standing))
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.sees(re.compile("There is free data again at .*2 Jan"))
        in_sight(app, "Remind me in my calendar", "link")
        with app.page.expect_download() as saving:
            app.link("Remind me in my calendar")
        event = saving.value.path().read_text(encoding="utf-8")
        assert "DTSTART:20350102T090000Z" in event


def test_under_a_pass_the_dates_are_those_of_the_pass_and_unlimited_comes_first(
    kswifi: Kswifi, browser: Browser
) -> None:
    with own_phone(browser, kswifi.origin, timezone_id="Africa/Lagos") as app:
        app.open().register()
        app.open("pass").heading("Unlimited pass")
        app.button("Buy for ₦800")
        app.page.get_by_role("button", name=re.compile("^Pay")).first.wait_for()
        # An abandoned checkout is gone on with; a second payment is not begun.
        app.open("pass").heading("Unlimited pass")
        app.button("Go on paying")
        app.page.get_by_role("link", name=re.compile("^Pay ₦800")).click()
        app.page.get_by_role("button", name=re.compile("^Pay")).first.click()
        app.heading("Paid. Your pass runs.")
        ends = app.page.get_by_text(re.compile("^Runs until")).inner_text().removeprefix("Runs until ")
        paid = app.page.evaluate("fetch('/api/v1/payments').then((one) => one.json())")["payments"]
        assert [one["state"] for one in paid] == ["settled"]
        app.open("choose").heading("Choose a session")
        expect(app.page.get_by_role("radio").first).to_be_checked()
        expect(app.page.get_by_role("radio", name=re.compile("Unlimited"))).to_be_checked()
        expect(app.page.get_by_text(f"Until {ends}")).to_have_count(4)
