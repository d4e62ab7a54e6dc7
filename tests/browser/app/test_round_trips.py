"""On a slow network each answer takes seconds: how many of them the road waits for, one after another."""

import re

from playwright.sync_api import Browser

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import device
from tests.support.slow_network import make_slow, round_trips


def test_from_download_to_ready_at_most_six_answers_are_waited_for(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.open("choose").heading("Choose a session")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.page.wait_for_timeout(1500)  # what Choose itself asks for is answered
        make_slow(app.page, 1500)
        app.button("Download Session")
        app.heading("Session ready for activation")
        chain = round_trips(app.page)
        print("\n" + "\n".join(chain))
        assert 4 <= len(chain) <= 6
