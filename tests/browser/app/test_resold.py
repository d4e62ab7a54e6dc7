"""Sessions that a data provider delivers, in the app: portions onto the owner's line, and the provider's eSIM."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from kswifi.cli.demo_resold import resold_phone, resold_system
from kswifi.lab.demo.telling import SilentTeller
from kswifi.lab.phone.activation_code import ActivationCode
from tests.support.app_page import AppPage, device
from tests.support.app_screens import check_screen

SMALL: dict[str, Any] = {"viewport": {"width": 360, "height": 640}}
pytestmark = [pytest.mark.soak, pytest.mark.timeout(240)]


def order(app: AppPage, offer: str) -> None:
    app.open("choose").heading("Choose a session")
    app.page.get_by_role("radio", name=re.compile(offer)).check()
    app.button("Download Session")
    if app.page.get_by_role("button", name="Yes, download").is_visible(timeout=1000):
        app.button("Yes, download")


def test_a_session_is_sent_to_the_line_of_its_owner_in_portions(browser: Browser, tmp_path: Path) -> None:
    with resold_system(tmp_path, "vtpass", "vended") as system:
        origin = str(system.children["server"].ready["origin"])
        with device(browser, origin, **SMALL) as app:
            wrong: list[str] = []
            app.open().register()
            app.page.wait_for_timeout(3000)  # the server reads the provider's catalogue
            order(app, "1GB")
            app.heading("Your line")
            app.page.get_by_label("Phone number").fill("0803 123 4567")
            wrong += check_screen(app.page, "50-your-line", "own")
            with app.page.expect_response(re.compile(r"/phone-verifications$")) as asked:
                app.button("Send Me a Code")
            app.sees("Network of this SIM")
            at = f"/api/v1/phone-verifications/{asked.value.json()['verification_id']}/lab-message"
            app.page.wait_for_function(f"fetch('{at}').then((one) => one.ok)")
            said = app.page.evaluate(f"fetch('{at}').then((one) => one.json())")["words"]
            found = re.search(r"\d{6}", said)
            assert found
            app.page.get_by_label("The code").fill(found.group())
            app.button("MTN")
            app.button("Verify")
            order(app, "1GB")
            app.sees("0 B of 1 GB sent to your line")
            app.button("Send a Portion")
            app.sees(re.compile("^Sent "), seconds=40)
            wrong += check_screen(app.page, "51-portions", "own")
            app.page.reload()
            app.sees(re.compile("^Sent "))
            assert "\n".join(wrong) == ""


def test_a_session_on_an_esim_of_a_provider(browser: Browser, tmp_path: Path) -> None:
    with (
        resold_system(tmp_path, "esim_go", "esim") as system,
        resold_phone(system, tmp_path / "phone", SilentTeller()) as road,
    ):
        origin = str(system.children["server"].ready["origin"])
        with device(browser, origin, **SMALL) as app:
            wrong: list[str] = []
            app.open().register()
            app.page.wait_for_timeout(3000)  # the server reads the provider's catalogue
            order(app, "1GB")
            app.sees("On an eSIM of a data provider.")
            app.sees("Or scan from another screen", seconds=40)
            app.page.get_by_text("Set up by hand").click()
            code = app.page.get_by_text(re.compile(r"^LPA:1\$")).inner_text()
            wrong += check_screen(app.page, "52-provider-esim", "own")
            road.install_code(ActivationCode.parse(code))
            app.sees("Turn on Data Roaming for this line.", seconds=60)
            app.button("Pause Session")
            app.sees("It is off.", seconds=60)
            wrong += check_screen(app.page, "53-provider-line", "own")
            expect(app.page.get_by_role("button", name="Continue Session")).to_be_visible()
            assert "\n".join(wrong) == ""
