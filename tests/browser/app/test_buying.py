"""Buying the pass at the sandbox's checkout, as a person does; and what is said where free data is refused."""

import re

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import device


def test_the_pass_is_bought_used_and_shown_with_its_receipt(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        page = app.open().page
        app.register()
        app.open("choose").heading("Choose a session")
        page.get_by_role("radio", name=re.compile("Unlimited")).check()
        app.link("Buy for ₦800")
        app.heading("Unlimited pass")
        app.sees("This is a rehearsal: no money moves.")
        app.sees("No limit on what you use.")
        app.button("Buy for ₦800")
        expect(page).to_have_url(re.compile(r"/checkout/"))
        page.get_by_role("button", name=re.compile("^Pay")).first.click()
        app.heading("Paid. Your pass runs.")
        assert "?payment=" not in page.url
        app.sees("Runs until")
        with page.expect_download() as saving:
            app.link("Receipt as PDF")
        assert saving.value.path().read_bytes().startswith(b"%PDF")
        app.link("Download Internet Session")
        app.heading("Choose a session")
        page.get_by_role("radio", name=re.compile("Unlimited")).check()
        app.button("Download Session")
        app.heading("Session ready for activation")
        app.open("home")
        app.sees("Unlimited pass")
        app.open("pass").heading("Unlimited pass")
        app.sees("Extend for ₦800")
        app.link(re.compile("Paid. Your pass runs"))
        app.button("Ask for the money back")
        app.heading(re.compile("The money (is on its way|went) back"))


def test_a_payment_that_is_declined_says_so_and_can_be_tried_again(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        page = app.open().page
        app.register()
        app.open("pass").heading("Unlimited pass")
        app.button("Buy for ₦800")
        page.get_by_role("button", name=re.compile("[Dd]ecline")).click()
        page.goto(app.origin)
        app.open("pass").heading("Unlimited pass")
        app.link(re.compile("^₦800"))
        app.link("Pay ₦800")
        page.get_by_role("button", name=re.compile("^Pay")).first.click()
        app.heading("Paid. Your pass runs.")


def test_where_the_budget_is_gone_the_waiting_list_is_offered(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        refusal = {"code": "free_budget_gone", "words": "gone", "do": "join_waiting_list", "facts": {}}
        standing = {
            "waiting": False,
            "offers": [{"offer_id": f"free-{n}gb", "refusal": refusal} for n in (1, 3, 5)],
        }
        app.context.route("**/api/v1/free-data", lambda route: route.fulfill(json=standing))
        app.context.route(
            "**/api/v1/free-data/waiting", lambda route: route.fulfill(json=standing | {"waiting": True})
        )
        app.open("choose").heading("Choose a session")
        app.sees("The free data is used up for now")
        expect(app.page.get_by_role("radio", name=re.compile("1GB"))).to_be_disabled()
        expect(app.page.get_by_role("button", name="Download Session")).to_have_count(0)
        app.button("Tell me when there is")
        app.sees("You are on the waiting list")
