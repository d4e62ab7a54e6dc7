"""Expiry: the same system, on the same data, some days later."""

from pathlib import Path

import pytest

from kswifi.lab.demo.app import AppError
from kswifi.lab.phone.network import ProxyAnswerError
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from tests.support.system import running_system


def test_what_is_left_expires_and_the_line_gives_nothing_more(tmp_path: Path) -> None:
    with running_system(tmp_path) as system, system.stored("day-1mb") as road:
        session_id = road.walked.session_id
        road.leave_wifi()
        road.switch_line_on()
        plan = TrafficPlan("before", flows=1, post_flows=0, get_octets=300_000)
        content = road._content
        used = run_traffic(road.network.credentials, content, plan).delivered_octets
        road.modem.detach()
        road.network.wifi = True
        road.app.wait_until(session_id, ("active",))

        system.stop()
        system.alter["server"] = ("later_clock", 1.0)  # still its last day, or past it
        system.start()
        assert road.app.internet_session(session_id)["valid_until"]
        system.stop()
        system.alter["server"] = ("later_clock", 3.0)
        system.start()

        expired = road.app.wait_until(session_id, ("expired",))
        assert expired["balance"]["expired"] == 1_000_000 - used
        account = system.account(session_id)
        assert (account.used, account.expired, account.available, account.reserved) == (
            used,
            1_000_000 - used,
            0,
            0,
        )
        road.leave_wifi()
        road.switch_line_on()
        assert road.modem.access == "control_only"
        with pytest.raises(ProxyAnswerError):
            road.network.connect_over_line(*content)
        road.modem.detach()
        road.network.wifi = True
        with pytest.raises(AppError) as refused:
            road.app.switch(session_id, "activate")
        assert refused.value.facts["problem"] == "no_session_on_esim"
        package = road.app._client.get(f"/api/v1/sessions/{session_id}/package")
        assert package.json()["code"] == "session_ended"
