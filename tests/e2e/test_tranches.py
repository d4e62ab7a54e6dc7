"""A free session in tranches, used up over the real network: to the octet, with no cut between two of them."""

import time
from pathlib import Path

from kswifi.lab.demo.road import Road
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from tests.support.system import running_system

TRANCHE_OCTETS = 1_000_000


def wait_until_credited(road: Road, session_id: str, octets: int) -> None:
    deadline = time.monotonic() + 20
    while road.app.internet_session(session_id)["balance"]["credited"] < octets:
        assert time.monotonic() < deadline, f"{octets} were not released"
        time.sleep(0.05)


def test_a_session_in_tranches_is_used_to_its_last_octet(tmp_path: Path) -> None:
    settings = {"free_tranche_octets": TRANCHE_OCTETS, "grant_cap_octets": 100_000}
    with running_system(tmp_path, **settings) as system, system.stored("free-3mb") as road:
        session_id = road.walked.session_id
        assert system.account(session_id).credited == TRANCHE_OCTETS
        road.leave_wifi()
        road.switch_line_on()
        delivered = 0
        for number in range(13):
            plan = TrafficPlan(f"part-{number}", flows=1, post_flows=0, get_octets=200_000)
            part = run_traffic(road.network.credentials, road._content, plan)
            part.check()
            assert not part.cut_off
            delivered += part.delivered_octets
            due = min(3, 1 + (delivered - 100_000 + TRANCHE_OCTETS // 2) // TRANCHE_OCTETS) * TRANCHE_OCTETS
            wait_until_credited(road, session_id, due)
        assert system.account(session_id).credited == 3_000_000
        assert road.app.internet_session(session_id)["state"] == "active"
        plan = TrafficPlan("rest", flows=1, post_flows=0)
        rest = run_traffic(road.network.credentials, road._content, plan)
        assert rest.cut_off
        assert delivered + rest.delivered_octets == 3_000_000
        ended = road.app.wait_until(session_id, ("exhausted",))
        assert (ended["balance"]["used"], ended["balance"]["withheld"], ended["balance"]["overrun"]) == (
            3_000_000,
            0,
            0,
        )
