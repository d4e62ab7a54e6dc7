"""Each road ends in done, in a refusal with the next step, or in waiting for something that is named."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import PASSWORD, AppPage, device
from tests.support.long_runs import cases, each_answer
from tests.support.own_phone import ANDROID, IPHONE, STORAGE_CLOSED, STORAGE_FULL, Lost, download, own_phone


def number() -> str:
    return f"0805{time.time_ns() // 1000 % 10_000_000:07d}"


def fill_sign_up(app: AppPage, identifier: str) -> None:
    app.open("account/new").heading("Make your account")
    app.page.get_by_label("Phone number or email").fill(identifier)
    app.page.get_by_label("Password").fill(PASSWORD)


@cases("user_agent", [IPHONE, ANDROID], always=[IPHONE])
@cases("height", [640, 844], always=[640])
def test_the_first_tap_on_download_works_without_a_connection_type(
    kswifi: Kswifi, browser: Browser, user_agent: str, height: int
) -> None:
    size: dict[str, Any] = {"viewport": {"width": 360, "height": height}}
    with own_phone(browser, kswifi.origin, user_agent=user_agent, **size) as app:
        app.open().register()
        app.open("choose").heading("Choose a session")
        expect(app.page.get_by_role("radio", name=re.compile("1GB"))).to_be_checked()  # the smallest
        button = app.page.get_by_role("button", name="Download Session")
        expect(button).to_be_enabled()
        expect(button).to_be_in_viewport()
        button.click()
        answer = app.page.get_by_role("button", name="Yes, download")
        expect(answer).to_be_in_viewport()
        answer.click()
        app.heading("Waiting for your phone")


def test_an_intent_is_sent_when_the_server_answers_again_without_an_online_event(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(60_000_000)
        app.heading("Session Active")
        app.link("Details")
        app.context.route("**/api/**", lambda route: route.abort())
        app.button("Pause Session")
        app.sees("Waiting for the network.")
        app.sees("It is sent by itself")
        expect(app.page.get_by_role("button", name="Pause Session")).to_be_enabled()
        app.context.unroute("**/api/**")
        expect(app.page.get_by_role("button", name="Continue Session")).to_be_visible(timeout=30_000)
        expect(app.page.get_by_text("Waiting for the network.")).to_have_count(0)


def test_an_intent_can_be_taken_back(kswifi: Kswifi, browser: Browser) -> None:
    with own_phone(browser, kswifi.origin) as app:
        app.open().register()
        download(app)
        app.heading("Waiting for your phone")
        app.context.route("**/cancel", lambda route: route.abort())
        app.button("Give it back")
        app.heading("Your internet")
        app.page.get_by_role("link", name=re.compile("1GB session")).first.click()
        app.heading("Waiting for your phone")
        session = app.page.url.rpartition("/")[2]
        app.open(f"session/{session}")
        app.sees("Waiting for the network.")
        app.button("Take it back")
        expect(app.page.get_by_text("Waiting for the network.")).to_have_count(0)


@pytest.mark.parametrize(
    ("screen", "path", "ends"),
    [
        ("account/new", r"/api/v1/accounts$", "Write this down"),
        ("account", r"/api/v1/logins$", "No sessions yet"),
    ],
)
def test_one_lost_answer_leaves_the_form_usable(
    kswifi: Kswifi, browser: Browser, screen: str, path: str, ends: str
) -> None:
    """The account is made, the answer lost: pressed again, the form leads in, with a recovery code that works."""
    identifier = number()
    if screen == "account":
        with device(browser, kswifi.origin) as app:
            fill_sign_up(app, identifier)
            app.button("Sign Up")
            app.heading("Write this down")
    with device(browser, kswifi.origin) as app:
        app.open(screen)
        lost = Lost(app.page, path)
        app.page.get_by_label("Phone number or email").fill(identifier)
        app.page.get_by_label("Password").fill(PASSWORD)
        button = app.page.get_by_role("button", name=re.compile("^Sign (Up|In)$"))
        button.click()
        app.sees("No answer from the network")
        assert lost.lost is not None
        expect(button).to_be_enabled()
        button.click()
        app.sees(ends)
        if screen == "account/new":
            code = app.page.get_by_role("status").filter(has_text="-").first.inner_text().replace("\n", "")
            app.button("I wrote it down")
            app.sees("No sessions yet")
            recover(browser, kswifi, identifier, code)


def recover(browser: Browser, kswifi: Kswifi, identifier: str, code: str, which: int = 0) -> None:
    """Recover the account; lose the answer to the request of this number."""
    with device(browser, kswifi.origin) as app:
        app.open("account/recover").heading("Recover your account")
        if which:
            Lost(app.page, r"/api/v1/(recoveries|logins)$", which)
        app.page.get_by_label("Phone number or email").fill(identifier)
        app.page.get_by_label("Recovery code").fill(code)
        app.page.get_by_label("New password").fill("four cold mountains")
        app.button("Set New Password")
        if which == 1:
            app.sees("No answer from the network")
            app.button("Set New Password")
        app.heading("Write this down")


@each_answer(2)
def test_a_recovery_whose_answer_is_lost_still_shows_the_next_code(
    kswifi: Kswifi, browser: Browser, which: int
) -> None:
    identifier = number()
    with device(browser, kswifi.origin) as app:
        fill_sign_up(app, identifier)
        app.button("Sign Up")
        app.heading("Write this down")
        code = app.page.get_by_role("status").filter(has_text="-").first.inner_text().replace("\n", "")
    recover(browser, kswifi, identifier, code, which)


@pytest.mark.parametrize(
    ("fault", "said"), [(STORAGE_CLOSED, "lets the app keep nothing"), (STORAGE_FULL, "no space left")]
)
def test_with_storage_closed_or_full_the_whole_road_works_and_the_fault_is_named(
    kswifi: Kswifi, browser: Browser, fault: str, said: str
) -> None:
    with own_phone(browser, kswifi.origin, fault=fault) as app:
        app.open().sees("WiFi now. Internet later.")
        fill_sign_up(app, number())
        app.button("Sign Up")
        app.heading("Write this down")  # shown although nothing can be kept
        app.sees(re.compile(said))
        app.button("I wrote it down")
        app.sees("No sessions yet")
        download(app)
        app.heading("Waiting for your phone")
        app.link("Install the eSIM")
        expect(app.page.get_by_alt_text("QR code that installs the eSIM")).to_be_visible()


def test_a_recovery_code_is_renewed_while_signed_in(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        identifier = app.open().register()
        app.open("security").heading("Sign-in and security")
        app.page.get_by_text("New recovery code").click()
        form = app.page.locator("details", has_text="New recovery code")
        form.get_by_label("Password").fill("not the password")
        form.get_by_role("button", name="Show a new code").click()
        app.sees("password is wrong")
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Show a new code").click()
        code = form.locator("output").inner_text().replace("\n", "")
        recover(browser, kswifi, identifier, code)


def test_a_second_device_shows_the_code_to_scan(kswifi: Kswifi, browser: Browser) -> None:
    with own_phone(browser, kswifi.origin) as app:
        identifier = app.open().register()
        download(app)
        app.heading("Waiting for your phone")
        session = app.page.url.rpartition("/")[2]
        with own_phone(browser, kswifi.origin, user_agent="Mozilla/5.0 (X11; Linux x86_64)") as other:
            other.open("account").heading("Welcome back")
            other.page.get_by_label("Phone number or email").fill(identifier)
            other.page.get_by_label("Password").fill(PASSWORD)
            other.button("Sign In")
            other.heading("Your internet")
            other.open(f"activate/{session}").heading("Install the eSIM")
            expect(other.page.get_by_alt_text("QR code that installs the eSIM")).to_be_visible()
            other.page.get_by_text("Set up by hand").click()
            expect(other.page.get_by_text(re.compile(r"^LPA:1\$.+\$.+"))).to_be_visible()


def test_no_address_leaves_the_app_on_its_first_picture(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        for address in ("#/free/%", "?payment=%", "#/constructor", "#/account/constructor", "#/pass/%E0%A4%A"):
            app.page.goto("about:blank")
            app.page.goto(f"{kswifi.origin}/{address}")
            expect(app.page.get_by_role("navigation", name="Main")).to_be_visible()
            expect(app.page.get_by_role("heading", level=1)).to_be_attached()


def test_an_unknown_payment_is_named_and_not_asked_for_again(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.open("pass/KS-NOT-THERE").heading("This payment is not known here")
        asked: list[str] = []
        app.page.on("request", lambda sent: asked.append(sent.url) if "/payments/" in sent.url else None)
        app.page.wait_for_timeout(4000)
        assert asked == []


def test_the_app_is_kept_anew_after_the_browser_dropped_it(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().sees("WiFi now. Internet later.")
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        app.page.reload()
        app.page.evaluate("caches.keys().then((all) => Promise.all(all.map((one) => caches.delete(one))))")
        app.page.reload()
        app.page.wait_for_function(
            "caches.match('/app/js/screens/help.js').then((one) => one && caches.match('/')).then(Boolean)"
        )
        app.context.set_offline(True)
        for address in ("", "?utm_source=x#/help", "?payment=KS-1", "choose?from=sticker"):
            app.page.goto(f"{kswifi.origin}/{address}")
            expect(app.page.get_by_role("navigation", name="Main")).to_be_visible()


def test_a_database_that_the_browser_closes_is_opened_again(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        session = app.context.new_cdp_session(app.page)
        session.send("Storage.clearDataForOrigin", {"origin": kswifi.origin, "storageTypes": "indexeddb"})
        app.page.wait_for_timeout(500)
        app.open("settings").heading("You")
        app.button("Light")
        app.page.wait_for_function(
            """() => new Promise((resolve) => { indexedDB.open("kswifi").onsuccess = (opened) => {
            const read = opened.target.result.transaction("kv").objectStore("kv").get("preferences");
            read.onsuccess = () => { opened.target.result.close();
              resolve(read.result?.theme === "light"); }; }; })"""
        )


def test_a_captive_portal_is_named(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        page = {"status": 200, "content_type": "text/html", "body": "<h1>Welcome to Mama Put WiFi</h1>"}
        app.context.route("**/api/**", lambda route: route.fulfill(**page))
        app.context.route("**/healthz", lambda route: route.fulfill(**page))
        app.choose("1GB")
        app.sees("This WiFi wants you to log in first.")
        app.context.unroute("**/api/**")
        app.context.unroute("**/healthz")
        app.heading("Session ready for activation")
        expect(app.page.get_by_text("This WiFi wants you to log in first.")).to_have_count(0)


@cases("days", [40, -40], always=[-40])
def test_a_wrong_clock_changes_neither_the_dates_nor_what_can_be_used(
    kswifi: Kswifi, browser: Browser, days: int
) -> None:
    with device(browser, kswifi.origin) as app:
        app.page.add_init_script(
            f"{{ const real = Date.now; Date.now = () => real() + {days} * 864e5; "
            "const Real = Date; globalThis.Date = class extends Real { constructor(...all) { "
            "super(...(all.length ? all : [Date.now()])); } }; }"
        )
        app.open().register()
        app.store()
        app.open("home").sees("READY")
        app.link("Activate Session")
        app.heading("Ready when you are")
        app.sees("Signature checked on this phone")


def test_signing_out_in_one_tab_clears_the_other(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store()
        other = app.new_tab()
        other.goto(kswifi.origin)
        expect(other.get_by_text("Stored sessions")).to_be_visible()
        app.open("settings").heading("You")
        app.button("Sign out")
        app.page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
        app.sees("WiFi now. Internet later.")
        expect(other.get_by_text("WiFi now. Internet later.")).to_be_visible()


def test_two_tabs_walk_one_road_and_the_second_takes_over(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        with app.held_package() as release:
            app.choose("1GB")
            app.sees("700 B of")
            other = app.new_tab()
            other.goto(app.page.url)
            expect(other.get_by_text("Another window of this app is doing this.")).to_be_visible()
            app.page.close()
            release()
            expect(other.get_by_role("heading", name="Session ready for activation")).to_be_attached(timeout=20_000)


API = r"/api/v1/|/\.well-known/"


@each_answer(8, always=(2,))
def test_the_road_ends_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    """The road from Download to the phone has some eight requests: lose the answer to each of them in turn."""
    with own_phone(browser, kswifi.origin) as app:
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.page.wait_for_timeout(500)
        lost = Lost(app.page, API, which)
        app.button("Download Session")
        app.button("Yes, download")
        title(app, "Waiting for your phone")
        lost.stop()
        print(f"\nlost the answer to {lost.lost}")
        assert len(listed(app, "sessions")) == 1


@each_answer(8, always=(2, 5))
def test_storing_on_the_lab_phone_ends_whichever_answer_is_lost(
    kswifi: Kswifi, browser: Browser, which: int
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.page.wait_for_timeout(500)
        lost = Lost(app.page, API, which)
        app.button("Download Session")
        title(app, "Session ready for activation")
        lost.stop()
        print(f"\nlost the answer to {lost.lost}")
        assert len(listed(app, "sessions")) == 1


@each_answer(2)
def test_giving_back_ends_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with own_phone(browser, kswifi.origin) as app:
        app.open().register()
        download(app)
        app.heading("Waiting for your phone")
        Lost(app.page, API, which)
        app.button("Give it back")
        app.heading("Your internet")
        app.sees("Cancelled", seconds=30)
        assert [one["state"] for one in listed(app, "sessions")] == ["revoked"]


@each_answer(2)
def test_buying_ends_at_one_checkout_whichever_answer_is_lost(kswifi: Kswifi, browser: Browser, which: int) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.open("pass").heading("Unlimited pass")
        app.page.wait_for_timeout(500)
        Lost(app.page, r"/api/v1/payments$", which)
        app.button("Buy for ₦800")
        app.sees("No answer from the network")
        app.page.get_by_role("button", name=re.compile("^(Buy for ₦800|Go on paying)$")).click()
        app.page.get_by_role("button", name=re.compile("^Pay")).or_(
            app.page.get_by_role("link", name=re.compile("^Pay ₦800"))
        ).first.wait_for()
        app.open()
        app.heading("Your internet")
        assert len(listed(app, "payments")) == 1


def title(app: AppPage, words: str) -> None:
    """See a screen's title after the waits of a road that lost an answer."""
    app.page.wait_for_function(
        "(words) => document.querySelector('h1')?.textContent.includes(words)", arg=words, timeout=40_000
    )


def listed(app: AppPage, what: str) -> list[dict[str, Any]]:
    """Return what the server has of one kind."""
    found: list[dict[str, Any]] = app.page.evaluate(
        "(what) => fetch(`/api/v1/${what}`).then((one) => one.json()).then((one) => one[what])", what
    )
    return found
