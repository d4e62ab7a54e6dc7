"""A free session in tranches, as its user sees it: told before the order, and waiting for money in its middle."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.app.conftest import Kswifi, running
from tests.support.app_page import device
from tests.support.app_screens import check_screen


def set_budget(system: Kswifi, total_kobo: int) -> None:
    command = [sys.executable, "-m", "kswifi", "budget", "set", "operator", "--total-kobo", str(total_kobo)]
    subprocess.run(command, env=os.environ | system.system.environment, check=True, timeout=60, capture_output=True)


@pytest.mark.timeout(240)  # what waits is looked at three times a minute
def test_a_session_waits_in_its_middle_and_goes_on_when_there_is_money(tmp_path: Path, browser: Browser) -> None:
    settings = {"KSWIFI_FREE_TRANCHE_OCTETS": "100000000", "KSWIFI_FREE_COST_KOBO_PER_GB": "1000"}
    with running(tmp_path, **settings) as system, device(browser, system.origin) as app:
        set_budget(system, 100)
        app.open().register()
        app.open("choose").sees("Given in parts of 100 MB")
        app.open("home").store("1GB")
        app.activate()
        lab = app.new_tab()
        lab.goto(f"{system.origin}/lab")
        lab.get_by_role("switch", name=re.compile("^WiFi")).click()
        lab.get_by_text("on: the whole internet").wait_for()
        lab.get_by_role("button", name="Until the cut").click()
        app.open("home").sees("of 1 GB")
        app.link("Details")
        app.sees("The next part of this session comes by itself")
        assert app.left_octets() == 900_000_000
        assert check_screen(app.page, "32-next-part", "dark") == []
        set_budget(system, 1_000)
        app.page.get_by_text("The next part of this session comes by itself").wait_for(
            state="hidden", timeout=90_000
        )
        app.sees("SESSION ACTIVE")
