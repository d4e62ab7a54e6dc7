"""The captured session of a real core, octet by octet against a server with a real ledger."""

from pathlib import Path

from kswifi.charging.model import Access
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import FinalUnitAction
from kswifi.diameter.messages.base import CapabilitiesExchangeAnswer
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from tests.support.charging import charging_sessions_of
from tests.support.diameter_samples import CCR_NAMES, rebuilt, sample
from tests.support.gy_server import WALLET, GyServer, RawClient, running

CAPTURED_USED = 4 * 1_001_000 + 996_800
ONE_MEGABYTE_GRANTS = ChargingPolicy(max_grant_octets=1_000_000, min_grant_octets=1_000_000)


def granted(answer: CreditControlAnswer) -> int | None:
    assert answer.result_code == 2001
    (service,) = answer.services
    return service.granted.cc_total_octets if service.granted is not None else None


async def test_captured_session_is_charged_to_the_octet(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, policy=ONE_MEGABYTE_GRANTS)) as server:
        await server.credit("account", CAPTURED_USED)
        client = await RawClient.connect(server.node.port, greet=False)
        welcome = CapabilitiesExchangeAnswer.decode(await client.ask(sample("cer-1")))
        assert welcome.result_code == 2001
        assert welcome.capabilities is not None
        assert welcome.capabilities.auth_application_ids == (4,)
        assert welcome.capabilities.origin_host == "ocs.localdomain"
        answers = [await client.charge(sample(name)) for name in CCR_NAMES]
        assert [granted(it) for it in answers] == [1_000_000] * 4 + [996_800, None]
        finals = [it.services[0].final_unit for it in answers]
        assert [it is not None for it in finals] == [False] * 4 + [True, False]
        assert finals[4] is not None
        assert finals[4].action is FinalUnitAction.TERMINATE
        for number, answer in enumerate(answers):
            assert answer.cc_request_number == number
            assert answer.session_id == "smf.localdomain;1795405056;2;app_gy"
            assert answer.services[0].validity_seconds == (600, 600, 600, 30, 30, None)[number]  # little is left
        assert server.balances("account") == (CAPTURED_USED, 0, 0)
        assert server.service.counters.overrun_octets == 0
        assert charging_sessions_of(server.service, WALLET) == []
        await client.close()


async def test_whole_rest_under_the_cap_is_final_at_once(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 9_999_999)
        client = await RawClient.connect(server.node.port)
        answer = await client.charge(sample("ccr-initial"))
        assert granted(answer) == 9_999_999
        assert answer.services[0].final_unit is not None
        (view,) = charging_sessions_of(server.service, WALLET)
        assert (view.access, view.bearer.apn, view.bearer.peer) == (Access.FULL, "internet", "smf.localdomain")
        await client.close()


async def test_replays_are_answered_the_same_and_charged_once(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, policy=ONE_MEGABYTE_GRANTS)) as server:
        await server.credit("account", 20_000_000)
        client = await RawClient.connect(server.node.port)
        other = await RawClient.connect(server.node.port)
        for name in CCR_NAMES:
            message = sample(name)
            flagged = message[:4] + b"\xd0" + message[5:]  # T: possibly sent before
            # Twice at once, so that the second finds the first still being committed.
            client.send(message + message)
            first, second = await client.receive(), await client.receive()
            third = await other.ask(flagged)
            assert first == second == third
        assert await other.ask(sample("ccr-update-2")) == await client.ask(sample("ccr-update-2"))
        assert server.balances("account") == (CAPTURED_USED, 0, 20_000_000 - CAPTURED_USED)
        assert server.service.open_sessions == 0
        await client.close()
        await other.close()


async def test_restart_between_update_and_replay(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, policy=ONE_MEGABYTE_GRANTS)) as server:
        await server.credit("account", 20_000_000)
        client = await RawClient.connect(server.node.port)
        before = [await client.ask(sample(name)) for name in CCR_NAMES[:3]]
        await client.close()
    async with running(GyServer(tmp_path, policy=ONE_MEGABYTE_GRANTS)) as server:
        (view,) = charging_sessions_of(server.service, WALLET)
        assert (view.session_id, view.bearer.apn) == ("smf.localdomain;1795405056;2;app_gy", "internet")
        client = await RawClient.connect(server.node.port)
        assert [await client.ask(sample(name)) for name in CCR_NAMES[:3]] == before
        assert server.balances("account") == (2_002_000, 1_000_000, 20_000_000 - 3_002_000)
        for name in CCR_NAMES[3:]:
            await client.charge(sample(name))
        assert server.balances("account") == (CAPTURED_USED, 0, 20_000_000 - CAPTURED_USED)
        await client.close()


async def test_lost_connection_and_reports_out_of_order(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, policy=ONE_MEGABYTE_GRANTS)) as server:
        await server.credit("account", 20_000_000)
        client = await RawClient.connect(server.node.port)
        await client.charge(sample("ccr-initial"))
        client.send(sample("ccr-update-1")[:400])
        await client.writer.drain()
        client.writer.transport.abort()
        again = await RawClient.connect(server.node.port)
        again.send(b"".join(sample(f"ccr-update-{number}") for number in (4, 2, 1, 3)))
        numbers = [CreditControlAnswer.decode(await again.receive() or b"").cc_request_number for _ in range(4)]
        assert numbers == [4, 2, 1, 3]
        await again.charge(sample("ccr-termination"))
        assert server.balances("account") == (CAPTURED_USED, 0, 20_000_000 - CAPTURED_USED)
        await again.close()


async def test_requests_with_faults_harm_nothing(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 20_000_000)
        client = await RawClient.connect(server.node.port)
        unknown = bytes.fromhex("0001e2404000000c00000001")
        cases = (
            (rebuilt(sample("ccr-initial"), {}, extra=unknown), 5001),
            (rebuilt(sample("ccr-initial"), {461: None}), 5005),
            (rebuilt(sample("ccr-initial"), {415: b"12345"}), 5014),
            (rebuilt(sample("ccr-initial"), {283: b"elsewhere"}), 3003),
            (rebuilt(sample("ccr-update-1"), {293: b"another.localdomain"}), 3002),
            (rebuilt(sample("ccr-initial"), {461: b"32274@3gpp.org"}), 5031),
            (rebuilt(sample("ccr-initial"), {416: b"\0\0\0\4", 436: b"\0\0\0\1"}), 5031),
            (rebuilt(sample("ccr-initial"), {443: None}), 5030),
            (sample("ccr-update-1"), 5002),
            (sample("ccr-termination"), 5002),
            (rebuilt(sample("ccr-initial"), {263: b"s" * 2000}), 5004),
        )
        for message, result in cases:
            assert (await client.charge(message)).result_code == result
        assert server.balances("account") == (0, 0, 20_000_000)
        assert server.service.open_sessions == 0
        assert granted(await client.charge(sample("ccr-initial"))) == 1_000_000
        await client.close()
