"""The gateway against the real Diameter server, charging and ledger: the road's last part, without its app."""

import secrets
from pathlib import Path
from typing import Any

from kswifi.aka import milenage
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.messages.s6a import EutranVector
from kswifi.kernel.clock import unix_seconds
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from kswifi.ledger.commands import Freeze, HoldWallet, LiftHold, LiftLimit, LimitDay, OutcomeCode
from kswifi.servers.diameter.s6a import S6aApplication
from tests.support.gy_server import IDENTITY, WALLET, GyServer
from tests.support.lab_network import lab_network
from tests.support.small_ocs import IMSI, OPC, K, SimCard


class Centre:
    """An authentication centre of one subscriber."""

    def __init__(self) -> None:
        self.sqn = 0

    async def eutran_vector(self, imsi: str, plmn: bytes, resynchronization: bytes | None = None) -> EutranVector:
        assert (imsi, resynchronization) == (IMSI, None)
        self.sqn += 32
        made = milenage.generate_vector(K, OPC, self.sqn, milenage.AMF_SEPARATION_BIT, secrets.token_bytes(16))
        kasme = milenage.kasme(made.ck, made.ik, plmn, made.sqn_xor_ak)
        return EutranVector(rand=made.rand, xres=made.xres, autn=made.autn, kasme=kasme)


class RealServer:
    """What ``lab_network`` starts and stops in place of the small one."""

    def __init__(self, directory: Path, allowance: int, **policy: Any) -> None:
        self._directory = directory
        self._allowance = allowance
        self._policy = ChargingPolicy(control_only_peers=frozenset({"gateway.kswifi"}), **policy)

    async def start(self) -> tuple[str, int]:
        self.server = GyServer(self._directory, policy=self._policy, more=(S6aApplication(Centre(), IDENTITY),))
        await self.server.start()
        await self.server.credit("first", self._allowance, imsi=IMSI)
        return "127.0.0.1", self.server.node.port

    async def stop(self) -> None:
        await self.server.close()


def test_an_allowance_is_used_to_the_octet_and_the_next_one_opens_the_line_again(tmp_path: Path) -> None:
    allowance = 60_000_007
    real = RealServer(tmp_path / "server", allowance, control_only_validity_seconds=1)
    real._directory.mkdir()
    with lab_network(tmp_path / "lab", real, realm=IDENTITY.origin_realm) as lab:  # type: ignore[arg-type]
        lab.modem.attach(SimCard(), IMSI)
        result = run_traffic(lab.network.credentials, lab.content, TrafficPlan.until_cut("real", allowance))
        assert result.cut_off
        result.check()
        assert lab.modem.wait_for_access("control_only", seconds=5)
        balances = lab.loop.call(lambda: real.server.balances("first"))
        assert balances == (result.delivered_octets, 0, 0) == (allowance, 0, 0)
        assert real.server.service.counters.overrun_octets == 0

        lab.loop.run(real.server.credit("second", 5_000_000, imsi=IMSI))
        lift = LiftHold("lift", WALLET, "second")
        assert lab.loop.run(real.server.ledger.execute(lift)).code is OutcomeCode.DONE
        assert lab.modem.wait_for_access("full", seconds=5)
        plan = TrafficPlan("more", flows=2, post_flows=0, get_octets=400_000)
        more = run_traffic(lab.network.credentials, lab.content, plan)
        assert not more.cut_off
        lab.modem.detach()
        used, reserved, available = lab.loop.call(lambda: real.server.balances("second"))
        assert (used, reserved, available) == (more.delivered_octets, 0, 5_000_000 - used)


def test_a_line_on_hold_gets_control_only_access(tmp_path: Path) -> None:
    real = RealServer(tmp_path, 1_000)
    with lab_network(tmp_path / "lab", real, realm=IDENTITY.origin_realm) as lab:  # type: ignore[arg-type]
        lab.modem.attach(SimCard(), IMSI)
        assert lab.modem.access == "full"
        lab.modem.detach()
        hold = HoldWallet("hold", WALLET, "paused")
        assert lab.loop.run(real.server.ledger.execute(hold)).code is OutcomeCode.DONE
        card = SimCard()
        card.highest_sqn = 32
        lab.modem.attach(card, IMSI)
        assert lab.modem.access == "control_only"


def test_a_decision_about_a_line_reaches_the_gateway_at_once(tmp_path: Path) -> None:
    """Validity-Times are minutes here: what comes sooner comes by Re-Auth and Abort-Session."""
    real = RealServer(tmp_path, 50_000_000, control_only_validity_seconds=600)
    with lab_network(tmp_path / "lab", real, realm=IDENTITY.origin_realm) as lab:  # type: ignore[arg-type]
        lab.modem.attach(SimCard(), IMSI)
        plan = TrafficPlan("some", flows=1, post_flows=0, get_octets=200_000)
        first = run_traffic(lab.network.credentials, lab.content, plan)
        control = real.server.control
        assert lab.loop.run(control.execute(HoldWallet("pause", WALLET, "paused"))).code is OutcomeCode.DONE
        assert lab.modem.wait_for_access("control_only", seconds=5)
        used, reserved, _ = lab.loop.call(lambda: real.server.balances("first"))
        assert (used, reserved) == (first.delivered_octets, 0)
        assert lab.loop.run(control.execute(LiftHold("lift", WALLET))).code is OutcomeCode.DONE
        assert lab.modem.wait_for_access("full", seconds=5)
        more = run_traffic(lab.network.credentials, lab.content, plan)
        assert lab.loop.run(control.execute(Freeze("lost", WALLET, True))).code is OutcomeCode.DONE
        assert lab.modem.wait_for_access("ended", seconds=5)
        used, reserved, _ = lab.loop.call(lambda: real.server.balances("first"))
        assert (used, reserved) == (first.delivered_octets + more.delivered_octets, 0)
        answers = lab.loop.call(lambda: dict(real.server.service.notices.answers))
        assert answers == {"re_auth 2002": 2, "abort 2001": 1}


def test_the_limit_of_a_day_cuts_to_the_octet_and_lifting_it_opens_the_line_again(tmp_path: Path) -> None:
    limit = 20_000_003
    real = RealServer(tmp_path, 60_000_000, control_only_validity_seconds=600)
    with lab_network(tmp_path / "lab", real, realm=IDENTITY.origin_realm) as lab:  # type: ignore[arg-type]
        control = real.server.control
        day_at = unix_seconds(real.server.clock.now())
        command = LimitDay("limit", WALLET, limit, day_at)
        assert lab.loop.run(control.execute(command)).code is OutcomeCode.DONE
        lab.modem.attach(SimCard(), IMSI)
        result = run_traffic(lab.network.credentials, lab.content, TrafficPlan.until_cut("day", limit))
        assert result.cut_off
        result.check()
        assert lab.modem.wait_for_access("control_only", seconds=5)
        used, reserved, _ = lab.loop.call(lambda: real.server.balances("first"))
        assert (used, reserved) == (result.delivered_octets, 0) == (limit, 0)

        assert lab.loop.run(control.execute(LiftLimit("lift", WALLET))).code is OutcomeCode.DONE
        assert lab.modem.wait_for_access("full", seconds=5)
        plan = TrafficPlan("more", flows=1, post_flows=0, get_octets=200_000)
        assert not run_traffic(lab.network.credentials, lab.content, plan).cut_off
