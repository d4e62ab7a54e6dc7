"""A person's hands on the app: what tests click, in the words that people see."""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect

PASSWORD = "three warm rivers"
_numbers = itertools.count(time.time_ns() % 9_000_000)
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "en-NG"}
_EXPECTED = re.compile(r"Failed to load resource|net::ERR_|Push API in incognito mode")


class AppPage:
    """One device with the app on it. An error on its console that nobody expected fails the test."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.context = context
        self.context.set_default_timeout(15_000)
        self.errors: list[str] = []
        self.page: Page = self.new_tab()

    def new_tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def open(self, screen: str = "") -> "AppPage":
        self.page.goto(f"{self.origin}/#/{screen}" if screen else self.origin)
        return self

    def heading(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1, name=text)).to_be_attached(timeout=20_000)

    def button(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def tap_until(self, name: str, text: str, taps: int = 3) -> None:
        """Press a button again, as people do, where the first press had no lasting effect."""
        for _ in range(taps):
            self.button(name)
            with suppress(AssertionError):
                self.sees(text, seconds=8)
                return
        self.sees(text)

    def link(self, name: str | re.Pattern[str]) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()

    def sees(self, text: str | re.Pattern[str], seconds: float = 20) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    def register(self) -> str:
        """Make an account by the screen; return its phone number."""
        number = self.register_from_here()
        self.sees("No sessions yet")
        return number

    def register_from_here(self) -> str:
        """Make an account by the screen's link, and come back to that screen; return the phone number."""
        number = f"0803{next(_numbers):07d}"
        self.link("Make an account")
        self.page.get_by_label("Phone number or email").fill(number)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.button("Sign Up")
        self.heading("Write this down")
        self.button("I wrote it down")
        return number

    def choose(self, offer: str) -> None:
        """Order an offer by the screens."""
        self.page.get_by_role("link", name="Download Internet Session").click()
        self.heading("Choose a session")
        self.page.get_by_role("radio", name=re.compile(offer)).check()
        self.button("Download Session")

    def store(self, offer: str = "1GB") -> None:
        """Bring a session onto the eSIM by the screens."""
        self.choose(offer)
        self.heading("Session ready for activation")

    def activate(self) -> None:
        """From the session that is ready, switch the line on."""
        self.link("Activate Session")
        self.heading("Ready when you are")
        self.button("Activate Session")
        self.sees("The line is on.")

    def left_octets(self) -> int:
        """What the device keeps of the first session's balance."""
        return int(
            self.page.evaluate(
                """() => new Promise((resolve) => { const open = indexedDB.open("kswifi"); open.onsuccess = () => {
                const all = open.result.transaction("sessions").objectStore("sessions").getAll();
                all.onsuccess = () => resolve(all.result[0].left_octets); }; })"""
            )
        )

    def tamper(self) -> None:
        """Flip one bit in the middle of the package on the device."""
        self.page.evaluate(
            """() => new Promise((resolve) => { const open = indexedDB.open("kswifi"); open.onsuccess = () => {
            const store = open.result.transaction("packages", "readwrite").objectStore("packages");
            store.getAll().onsuccess = (event) => { const kept = event.target.result[0];
              kept.octets[Math.floor(kept.octets.length / 2)] ^= 1; store.put(kept).onsuccess = resolve; }; }; })"""
        )

    @contextmanager
    def held_package(self, first_octets: int = 700) -> Iterator[Callable[[], None]]:
        """Let the network break off the download after so many octets, and hold the rest until it is let go."""
        waiting: list[Route] = []
        let_go = False

        def handle(route: Route) -> None:
            if "range" not in route.request.headers:
                answer = route.fetch()
                route.fulfill(response=answer, body=answer.body()[:first_octets])
            elif let_go:
                route.continue_()
            else:
                waiting.append(route)

        def release() -> None:
            nonlocal let_go
            let_go = True
            for route in waiting:
                with suppress(Error):  # a page that was reloaded since has given it up
                    route.continue_()

        self.context.route("**/package", handle)
        yield release
        self.context.unroute("**/package", handle)

    def close(self) -> None:
        self.context.close()
        unexpected = [error for error in self.errors if not _EXPECTED.search(error)]
        assert unexpected == [], unexpected


@contextmanager
def device(browser: Browser, origin: str, **context: Any) -> Iterator[AppPage]:
    """A device for one test, in a private window."""
    given = {**PHONE, **context}
    with in_context(browser.new_context(**given), origin) as one:
        yield one


@contextmanager
def in_context(context: BrowserContext, origin: str) -> Iterator[AppPage]:
    """The app in a browser's context, which is closed at the end."""
    one = AppPage(context, origin)
    try:
        yield one
    except BaseException:
        context.close()
        raise
    one.close()
