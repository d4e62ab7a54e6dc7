"""What is seen while it happens: in two tabs, after the cut, with the keyboard alone, on the lab phone."""

import os
import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import PASSWORD, device


def test_two_tabs_stay_in_step_and_only_one_walks_the_road(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        other = app.new_tab()
        packages: list[str] = []
        app.context.on("request", lambda sent: packages.append(sent.url) if sent.url.endswith("/package") else None)
        other.goto(app.origin)
        expect(other.get_by_text("No sessions yet")).to_be_visible()
        app.store()
        expect(other.get_by_text("Stored sessions")).to_be_visible(timeout=10_000)
        assert len(packages) == 1
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(150_000_000)
        meters = []
        for page in (app.page, other):
            page.goto(f"{app.origin}/#/home")
            meters.append(page.get_by_role("img", name=re.compile(r"^[89]\d\d.* MB left of 1 GB")))
            expect(meters[-1]).to_be_visible(timeout=10_000)
        # How much is reported by now depends on the grants; both tabs show the same of it.
        shown = meters[0].get_attribute("aria-label") or ""
        expect(meters[1]).to_have_attribute("aria-label", shown)
        other.close()


def test_a_session_can_be_paused_and_continued(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(50_000_000)  # more than one grant, so that the network reports
        app.heading("Session Active")
        app.link("Details")
        app.button("Pause Session")
        app.sees("PAUSED")
        app.button("Continue Session")
        app.sees("SESSION ACTIVE")


def test_after_the_cut_the_next_stored_session_is_offered(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store("3GB")
        app.open("choose")
        app.heading("Choose a session")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")
        app.heading("Session ready for activation")
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(1_100_000_000)
        app.open("home")
        app.sees("Stored sessions")
        app.page.get_by_role("link", name=re.compile("3 GB")).click()
        app.heading("Ready when you are")
        # On a busy machine the hold that ended the other session arrives after the first activation.
        app.tap_until("Activate Session", "The line is on.")
        for _ in range(100):  # the network tells the phone a moment later
            if kswifi.access() == "full":
                break
            app.page.wait_for_timeout(100)
        kswifi.spend(50_000_000)  # more than one grant, so that the network reports
        app.heading("Session Active")


def test_the_lab_phone_shows_a_session_being_spent_and_cut_off(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin, viewport={"width": 1200, "height": 900}) as app:
        app.open().register()
        app.store()
        app.page.goto(f"{app.origin}/lab")
        app.sees("What the card reports")
        app.sees("Signature checked on this phone")
        app.page.get_by_role("switch", name=re.compile("^WiFi")).click()
        app.page.get_by_role("switch", name=re.compile("^Line")).click()
        app.sees("on: the whole internet")
        app.button("Go")
        pane = app.page.frame_locator("iframe")
        expect(pane.get_by_role("heading", name="The net beyond KSWiFi")).to_be_visible()
        frame = next(one for one in app.page.frames if "/phone/pages/" in one.url)
        assert frame.url.startswith(kswifi.lab_origin)
        assert not frame.url.startswith(app.origin)
        app.sees(re.compile("over the line"))
        app.button("100 MB")
        app.sees("SESSION ACTIVE")
        expect(app.page.get_by_role("img", name=re.compile(r"^(89|90)\d.* MB left of 1 GB"))).to_be_visible(
            timeout=20_000
        )
        if os.environ.get("SCREENS"):
            app.page.screenshot(path=Path(__file__).parents[3] / "docs/screens/lab-phone.png")
        app.button("Until the cut")
        app.sees("The network has cut it off.", seconds=60)
        app.sees("FINISHED")
        app.sees("on: only KSWiFi")


def test_the_road_with_the_keyboard_alone(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        page = app.open().page
        app.heading("Your internet")

        def tab_to(name: str, key: str = "Enter") -> None:
            """Go on with Tab until the thing of this name has the focus, and use it."""
            for _ in range(40):
                page.keyboard.press("Tab")
                here = page.evaluate(
                    """() => { const here = document.activeElement;
                    return (here.getAttribute('aria-label') || here.innerText || '').trim(); }"""
                )
                if here == name:
                    page.keyboard.press(key)
                    return
            raise AssertionError(f"{name} cannot be reached with Tab")

        def type_into(label: str, text: str) -> None:
            for _ in range(20):
                page.keyboard.press("Tab")
                if page.evaluate("() => document.activeElement.labels?.[0]?.textContent") == label:
                    page.keyboard.type(text)
                    return
            raise AssertionError(f"{label} cannot be reached with Tab")

        def arrive(title: str) -> None:
            """Wait for a screen, and for the focus to be on its heading: Tab counts from there."""
            app.heading(title)
            expect(page.locator("h1")).to_be_focused()

        tab_to("Make an account")
        arrive("Make your account")
        type_into("Phone number or email", f"keys{id(page)}@example.ng")
        type_into("Password", PASSWORD)
        page.keyboard.press("Enter")
        arrive("Write this down")
        tab_to("I wrote it down")
        arrive("Your internet")
        app.sees("No sessions yet")
        tab_to("Download Internet Session")
        arrive("Choose a session")
        tab_to("Download Session")
        app.heading("Session ready for activation")
        tab_to("Activate Session")
        arrive("Ready when you are")
        tab_to("Activate Session")
        app.sees("The line is on.")
