"""Every screen in both themes and at 320 px: nothing that breaks WCAG, nothing that has to be scrolled sideways.

With SCREENS=1 the pictures of docs/screens are taken anew.
"""

import os
import re
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import AUTHENTICATOR, Kswifi
from tests.support.app_page import PASSWORD, AppPage, device
from tests.support.app_screens import check_layout, check_looks, check_screen


def walk(app: AppPage, kswifi: Kswifi) -> list[str]:
    """Go through every screen, as somebody does with their first session; return what is wrong with them."""
    page = app.page
    wrong: list[str] = []

    def see(name: str) -> None:
        page.evaluate("document.querySelectorAll('.toast .iconbtn').forEach((close) => close.click())")
        wrong.extend(check_looks(page, name))

    # A phone as most are: it has a fingerprint reader, and lets the page notify.
    app.context.grant_permissions(["notifications"], origin=app.origin)
    authenticator = app.context.new_cdp_session(page)
    authenticator.send("WebAuthn.enable")
    authenticator.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    app.open().heading("Your internet")
    see("01-welcome")
    app.link("Make an account")
    app.heading("Make your account")
    see("02-sign-up")
    app.open("account").heading("Welcome back")
    see("03-sign-in")
    app.open("account/recover").heading("Recover your account")
    see("04-recover")
    app.open()
    app.link("Make an account")
    page.get_by_label("Phone number or email").fill("080" + str(abs(hash(os.getpid())) % 10**8).zfill(8))
    page.get_by_label("Password").fill("three warm rivers")
    app.button("Sign Up")
    app.heading("Write this down")
    see("05-recovery-code")
    app.button("I wrote it down")
    app.sees("No sessions yet")
    see("06-home-empty")
    app.link("Download Internet Session")
    app.heading("Choose a session")
    app.sees("left of 5 GB")
    page.get_by_role("radio", name=re.compile("1GB")).check()
    see("07-choose")
    with app.held_package() as release:
        app.button("Download Session")
        app.heading("Downloading 1GB session…")
        app.sees("700 B of")
        page.wait_for_timeout(2500)  # the download goes on after the break
        expect(page.get_by_text("No answer from the network")).to_have_count(0)
        see("08-downloading")
        release()
        app.heading("Session ready for activation")
    see("09-ready")
    app.link("Activate Session")
    app.heading("Ready when you are")
    app.sees("Signature checked")
    see("10-activate")
    app.button("Activate Session")
    app.sees("The line is on.")
    see("11-line-on")
    kswifi.lab("/phone/wifi", {"on": False})
    kswifi.spend(370_000_000)
    app.heading("Session Active")
    see("12-active")
    app.open("home").heading("Your internet")
    app.sees("Details")
    until = time.monotonic() + 40
    while not page.get_by_text("At this pace").count():  # the app shows a pace after ten seconds of measurement
        assert time.monotonic() < until
        page.wait_for_timeout(2000)
        kswifi.spend(10_000_000)
    see("13-home-active")
    app.link("Details")
    app.heading("1GB session")
    page.get_by_text("Receipt").click()
    see("14-session")
    kswifi.spend(900_000_000)
    app.sees("Session finished: back to WiFi")
    see("15-finished")
    page.get_by_text("Something wrong with it?").click()
    app.sees("What is wrong?")
    see("24-dispute")
    kswifi.lab("/phone/line", {"on": False})
    kswifi.lab("/phone/wifi", {"on": True})
    for name, screen, heading in (
        ("16-home-finished", "home", "Your internet"),
        ("17-esim", "esim", "Sessions on this eSIM"),
        ("18-help", "help", "Help"),
        ("19-settings", "settings", "You"),
    ):
        app.open(screen).heading(heading)
        see(name)
    page.get_by_role("button", name="Sign out").click()
    see("20-sign-out")
    page.keyboard.press("Escape")
    app.open("security").heading("Sign-in and security")
    app.sees("You are signed in on this device only.")
    app.button("Add a passkey")
    again = page.locator("form", has=page.get_by_role("button", name="Add a passkey"))
    again.get_by_label("Password").fill(PASSWORD)
    again.get_by_role("button", name="Add a passkey").click()
    app.sees("Made")
    page.get_by_text("Change password", exact=True).click()
    page.get_by_text("Change phone number or email").click()
    see("39-security")
    app.button("Delete my account")
    app.sees("Delete your account for good?")
    see("23-delete-account")
    page.keyboard.press("Escape")
    app.open("pass").heading("Unlimited pass")
    see("25-pass")
    app.button("Buy for ₦800")
    page.get_by_role("button", name=re.compile("^Pay")).first.click()
    app.heading("Paid. Your pass runs.")
    see("26-payment")
    for _ in range(2):
        app.open("home")
        app.store()
    app.open("esim").heading("Sessions on this eSIM")
    app.sees(re.compile("Number 2 in the order"))
    see("27-esim-several")
    app.open("gifts").heading("Gifts")
    app.sees("I got a code")
    see("46-gifts")
    app.open("move").heading("New phone, lost phone, deleted eSIM")
    see("47-move")
    page.goto(f"{app.origin}/lab")
    app.sees("What the card reports")
    app.sees("Signature checked on this phone")
    see("21-lab-phone")
    return wrong


@pytest.mark.timeout(400)
def test_every_screen_is_accessible_and_fits(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin, reduced_motion="reduce") as app:
        assert "\n".join(walk(app, kswifi)) == ""


def test_a_phone_outside_the_lab_shows_how_to_install(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.context.route(f"{kswifi.lab_origin}/**", lambda route: route.abort())
        app.open().register()
        with app.page.expect_response("**/api/v1/connection"):
            app.open("choose").heading("Choose a session")
        app.page.wait_for_timeout(100)
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")  # the server sees WiFi: nobody is asked
        app.heading("Waiting for your phone")
        app.link("Install the eSIM")
        app.heading("Install the eSIM")
        app.sees("Installing needs WiFi, switching on does not.")
        app.button("iPhone")
        link = app.page.get_by_role("link", name="Install on iPhone")
        assert re.fullmatch(
            r"https://esimsetup\.apple\.com/esim_qrcode_provisioning\?carddata=LPA:1\$.+\$.+",
            link.get_attribute("href") or "",
        )
        assert (
            app.page.get_by_alt_text("QR code that installs the eSIM").evaluate("(one) => one.naturalWidth") > 100
        )
        app.page.get_by_text("Set up by hand").click()
        assert check_screen(app.page, "22-install", "dark") == []


def test_text_at_200_percent_fits_and_nothing_is_lost(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.page.add_init_script(
            "addEventListener('DOMContentLoaded', () => (document.documentElement.style.fontSize = '200%'))"
        )
        app.open().register()
        app.store()
        wrong = check_layout(app.page, "ready")
        for screen in (
            "home",
            "choose",
            "activate",
            "esim",
            "session",
            "settings",
            "security",
            "gifts",
            "move",
            "help",
        ):
            app.open(screen)
            app.page.wait_for_timeout(300)
            wrong += check_layout(app.page, screen)
            # The bar with the action scrolls along, and draws nothing over what is above it.
            over = app.page.evaluate(
                """() => [...document.querySelectorAll('.stick')].map((bar) =>
                [getComputedStyle(bar).position, getComputedStyle(bar, '::before').content])"""
            )
            assert all(one == ["relative", "none"] for one in over), (screen, over)
        assert wrong == []


def test_it_speaks_nigerian_pidgin(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open("settings").heading("You")
        app.button("Naijá")
        app.page.get_by_role("link", name="Help", exact=True).click()
        app.sees("Wetin be internet session?")
        assert app.page.evaluate("document.documentElement.lang") == "pcm"
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        app.page.reload()
        app.sees("Wetin be internet session?")
        app.context.set_offline(True)
        app.page.reload()
        app.sees("Wetin be internet session?")
