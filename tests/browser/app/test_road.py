"""The whole road by clicking, on the real server and the real lab."""

import re

from playwright.sync_api import Browser, expect

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import device


def test_the_whole_road_by_clicking_from_download_to_cut_off(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.choose("1GB")
        app.heading("Session ready for activation")
        app.sees("Signature checked on this phone")
        app.sees("Your eSIM has confirmed that it holds this session.")
        app.activate()
        expect(app.page.get_by_role("heading", level=1, name="Session Active")).to_have_count(0)

        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(260_000_000)
        app.heading("Session Active")
        app.link("Details")
        expect(app.page.get_by_role("img", name=re.compile(r"left of 1 GB"))).to_be_visible()
        expect(app.page.get_by_text("Your session")).to_be_visible()

        answer = kswifi.spend(900_000_000)
        assert answer["cut_off"] is True
        app.sees("Session finished: back to WiFi")
        expect(app.page.get_by_text("KSWiFi only")).to_be_visible()
        expect(app.page.get_by_role("img", name=re.compile(r"^0 B left of 1 GB"))).to_be_visible()
        assert app.left_octets() == 0
        app.sees("History")
        expect(app.page.get_by_role("cell", name="1 GB").first).to_be_visible(timeout=15_000)
        app.page.get_by_text("Something wrong with it?").click()
        with app.page.expect_download() as saving:
            app.link("Save the statement")
        lines = saving.value.path().read_text().splitlines()
        assert lines[0] == "starts_at,octets"
        assert sum(int(line.partition(",")[2]) for line in lines[1:]) == 1_000_000_000
        app.page.get_by_label("What is wrong?").fill("I slept at that time.")
        app.button("Send it")
        app.sees("I slept at that time.")
        app.page.reload()
        app.page.get_by_text("Something wrong with it?").click()
        app.sees("I slept at that time.")
