"""Refusals of INITIAL that are kept back for a while, over a connection."""

import asyncio
from pathlib import Path

import pytest

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import CcRequestType
from kswifi.diameter.header import FLAG_ERROR, decode_header
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from kswifi.diameter.reader import read_message
from kswifi.servers.diameter import delayed_refusals
from kswifi.servers.diameter.delayed_refusals import DelayedRefusals
from tests.support.diameter_samples import rebuilt, sample
from tests.support.gy_server import GyServer, RawClient, running

INITIAL = sample("ccr-initial")
LONG = 300.0
"""Seconds that no test waits for: what is kept back so long leaves by a flush alone."""


def of_session(name: str, message: bytes = INITIAL) -> bytes:
    return rebuilt(message, {d.SESSION_ID.code: name.encode()})


async def answered(client: RawClient) -> CreditControlAnswer:
    octets = await client.receive()
    assert octets is not None
    return CreditControlAnswer.decode(octets)


async def test_a_refusal_waits_and_holds_nothing_else_up(tmp_path: Path) -> None:
    refusals = DelayedRefusals(0.05)
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        for number in range(50):
            client.send(of_session(f"refused;{number}"))
        await server.credit("account", 2_000_000, wallet_id="wallet-2", imsi="001010000000002")
        client.send(of_session("granted", INITIAL).replace(b"001010000000001", b"001010000000002"))
        first = await answered(client)
        assert (first.session_id, first.result_code) == ("granted", 2001)
        later = [await answered(client) for _ in range(50)]
        assert {it.result_code for it in later} == {5030}
        assert len({it.session_id for it in later}) == 50
        assert len(refusals) == 0


async def test_more_refusals_than_a_connection_may_have_outstanding_do_not_stop_it(tmp_path: Path) -> None:
    refusals = DelayedRefusals(LONG)
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        for number in range(2 * server.node.limits.max_outstanding):
            client.send(of_session(f"refused;{number}"))
        unknown = await client.charge(of_session("no such", sample("ccr-update-1")))
        assert unknown.result_code == 5002
        assert len(refusals) == 2 * server.node.limits.max_outstanding


async def test_a_termination_takes_a_refusal_back_and_a_copy_joins_it(tmp_path: Path) -> None:
    refusals = DelayedRefusals(LONG)
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        client.send(of_session("ended") * 2)
        client.send(of_session("stays"))
        ended = await client.charge(of_session("ended", sample("ccr-termination")))
        assert ended.cc_request_type is CcRequestType.TERMINATION
        assert len(refusals) == 1
        client.send(of_session("stays"))
        await client.charge(of_session("other", sample("ccr-update-1")))
        server.gy.flush()
        found = [await answered(client), await answered(client)]
        assert [it.session_id for it in found] == ["stays", "stays"]


async def test_an_error_found_before_anything_is_applied_waits_as_well(tmp_path: Path) -> None:
    refusals = DelayedRefusals(LONG)
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        client.send(rebuilt(INITIAL, {d.SERVICE_CONTEXT_ID.code: b"other@3gpp.org"}))
        await client.charge(of_session("other", sample("ccr-update-1")))
        assert len(refusals) == 1
        server.gy.flush()
        assert (await answered(client)).result_code == 5031


async def test_refusals_leave_at_once_beyond_the_limit_and_for_other_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delayed_refusals, "MAX_PENDING", 3)
    refusals = DelayedRefusals(LONG, frozenset({"smf.localdomain"}))
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        for number in range(3):
            client.send(of_session(f"waits;{number}"))
        assert (await client.charge(of_session("at once"))).session_id == "at once"
        other = await RawClient.connect(server.node.port, host="smf2.localdomain")
        monkeypatch.setattr(delayed_refusals, "MAX_PENDING", 99)
        message = rebuilt(of_session("other"), {d.ORIGIN_HOST.code: b"smf2.localdomain"})
        assert (await other.charge(message)).result_code == 5030


async def test_nothing_is_written_to_a_peer_that_left(tmp_path: Path) -> None:
    refusals = DelayedRefusals(LONG)
    async with running(GyServer(tmp_path, refusals=refusals)) as server:
        client = await RawClient.connect(server.node.port)
        client.send(of_session("left"))
        await client.charge(of_session("other", sample("ccr-update-1")))
        await client.close()
        while server.node.peers:  # noqa: ASYNC110  # the node has no event for it
            await asyncio.sleep(0.01)
        again = await RawClient.connect(server.node.port)
        server.gy.flush()
        assert len(refusals) == 0
        answer = await again.charge(of_session("other", sample("ccr-update-1")))
        assert answer.session_id == "other"


async def test_protocol_errors_have_the_grammar_of_the_answer_message(tmp_path: Path) -> None:
    """RFC 6733, 7.2: nothing of the request but Session-Id and Proxy-Info, and nothing of its command."""
    async with running(GyServer(tmp_path)) as server:
        client = await RawClient.connect(server.node.port)
        proxy = d.PROXY_INFO.encode(bytes(16))
        allowed = (
            d.SESSION_ID, d.ORIGIN_HOST, d.ORIGIN_REALM, d.RESULT_CODE, d.ERROR_MESSAGE, d.PROXY_INFO
        )  # fmt: skip
        changes: list[tuple[int, dict[int, bytes | None]]] = [
            (3003, {283: b"elsewhere"}),
            (3002, {293: b"other.host"}),
        ]
        for code, change in changes:
            extra = proxy if 293 not in change else proxy + d.DESTINATION_HOST.encode("other.host")
            message = await client.ask(rebuilt(INITIAL, change, extra))
            avps = read_message(message)
            assert decode_header(message).flags & FLAG_ERROR
            assert avps.need(d.RESULT_CODE) == code
            assert avps.has(d.PROXY_INFO)
            assert set(avps._first) == {it.key for it in allowed}  # all there is
            assert int.from_bytes(message[20:24], "big") == d.SESSION_ID.code  # it comes first


async def test_an_empty_session_id_is_refused(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        client = await RawClient.connect(server.node.port)
        for name in ("ccr-initial", "ccr-update-1", "ccr-termination"):
            message = await client.ask(of_session("", sample(name)))
            avps = read_message(message)
            assert avps.need(d.RESULT_CODE) == 5004
            assert avps.need(d.FAILED_AVP) == d.SESSION_ID.encode("")
