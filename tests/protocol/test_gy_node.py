"""The node among peers that are strange, silent, greedy or gone."""

import asyncio
import socket
from pathlib import Path

import pytest

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import APPLICATION_S6A, VENDOR_3GPP, Command, DisconnectCause
from kswifi.diameter.header import FLAG_ERROR, Header, decode_header, encode_message
from kswifi.diameter.messages.base import (
    CapabilitiesExchangeAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    PeerAnswer,
)
from kswifi.diameter.reader import read_message
from kswifi.servers.diameter.application import Reply, Sender
from kswifi.servers.diameter.peer_connection import PeerLimits
from kswifi.servers.diameter.peer_rules import LOOPBACK, PeerRules
from tests.support.diameter_samples import rebuilt, sample
from tests.support.gy_server import IDENTITY, GyServer, RawClient, greeting, running

HASTY = PeerLimits(
    watchdog_seconds=0.2, greeting_seconds=0.2, farewell_seconds=0.2, max_connections=4, max_outstanding=8
)


def result_of(answer: bytes | None) -> int:
    assert answer is not None
    return read_message(answer).need(d.RESULT_CODE)


async def closes(client: RawClient) -> bool:
    try:
        while (message := await client.receive()) is not None:
            assert decode_header(message)
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    ("message", "result"),
    [
        (greeting("stranger.localdomain"), 3010),
        (greeting(applications=()), 5010),
        (rebuilt(greeting(), {}, extra=d.INBAND_SECURITY_ID.encode(1)), 5017),
        (rebuilt(greeting(), {296: None}), 5005),
        (rebuilt(greeting(), {257: b"\0"}), 5014),
    ],
)
async def test_refused_greetings_get_a_result_code_and_are_closed(
    tmp_path: Path, message: bytes, result: int
) -> None:
    rules = PeerRules(peers={"smf.localdomain": LOOPBACK}, any_name_from=())
    async with running(GyServer(tmp_path, rules=rules)) as server:
        client = await RawClient.connect(server.node.port, greet=False)
        assert result_of(await client.ask(message)) == result
        assert await closes(client)
        assert list(server.node.peers) == []
        known = await RawClient.connect(server.node.port)
        assert server.node.peers == ("smf.localdomain",)
        await known.close()
        await client.close()


async def test_relay_and_captured_greetings_are_welcome(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        for message in (greeting(applications=(0xFFFFFFFF,)), sample("cer-1"), sample("cer-2")):
            client = await RawClient.connect(server.node.port, greet=False)
            welcome = CapabilitiesExchangeAnswer.decode(await client.ask(message))
            assert welcome.result_code == 2001
            assert welcome.capabilities is not None
            assert welcome.capabilities.origin_state_id == IDENTITY.origin_state_id
            await client.close()


async def test_watchdog_both_ways(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, limits=HASTY)) as server:
        client = await RawClient.connect(server.node.port)
        mine = DeviceWatchdogRequest(origin_host="smf", origin_realm="r", hop_by_hop=7, end_to_end=8)
        answer = PeerAnswer.decode(await client.ask(mine.encode()))
        assert (answer.result_code, answer.hop_by_hop, answer.end_to_end) == (2001, 7, 8)
        assert answer.origin_state_id == IDENTITY.origin_state_id
        for _ in range(3):
            theirs = DeviceWatchdogRequest.decode(await client.receive() or b"")
            client.send(
                PeerAnswer(
                    command_code=Command.DEVICE_WATCHDOG,
                    result_code=2001,
                    origin_host="smf",
                    origin_realm="r",
                    hop_by_hop=theirs.hop_by_hop,
                    end_to_end=theirs.end_to_end,
                ).encode()
            )
        # From here on it is silent: one more watchdog, then the connection is closed.
        assert await closes(client)
        await client.close()


async def test_farewells_both_ways(tmp_path: Path) -> None:
    server = GyServer(tmp_path)
    await server.start()
    client = await RawClient.connect(server.node.port)
    leaving = DisconnectPeerRequest(
        origin_host="smf", origin_realm="r", disconnect_cause=DisconnectCause.BUSY, hop_by_hop=9
    )
    assert PeerAnswer.decode(await client.ask(leaving.encode())).result_code == 2001
    assert await client.receive() is None
    await client.close()
    polite = await RawClient.connect(server.node.port)
    closing = asyncio.create_task(server.close())
    told = DisconnectPeerRequest.decode(await polite.receive() or b"")
    assert told.disconnect_cause is DisconnectCause.REBOOTING
    polite.send(
        PeerAnswer(
            command_code=Command.DISCONNECT_PEER,
            result_code=2001,
            origin_host="smf",
            origin_realm="r",
            hop_by_hop=told.hop_by_hop,
            end_to_end=told.end_to_end,
        ).encode()
    )
    assert await polite.receive() is None
    await closing
    await polite.close()


async def test_unserved_commands_and_applications(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        client = await RawClient.connect(server.node.port)
        for header, result in (
            (Header(0x80, 999, 0, 1, 1), 3001),
            (Header(0x80, 271, 4, 1, 1), 3001),
            (Header(0x80, 272, 16777238, 1, 1), 3007),
            (Header(0x80, 318, 16777251, 1, 1), 3007),  # S6a is not served by this node
        ):
            answer = await client.ask(encode_message(header, d.SESSION_ID.encode("s")))
            assert result_of(answer) == result
            assert decode_header(answer).flags & FLAG_ERROR
            assert read_message(answer).need(d.SESSION_ID) == "s"
        header_bits = encode_message(Header(0xA0, 272, 4, 1, 1), b"")
        assert result_of(await client.ask(header_bits)) == 3008
        assert result_of(await client.ask(encode_message(Header(0x80, 280, 0, 1, 1), b""))) == 5005
        client.send(encode_message(Header(0x40, 272, 4, 77, 77), b""))  # an answer nobody waits for
        assert (await client.charge(sample("ccr-update-1"))).result_code == 5002
        await client.close()


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x01\xff\xff\xfc" + bytes(40)])
async def test_garbage_closes_its_own_connection_only(tmp_path: Path, octets: bytes) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 50_000_000)
        good = await RawClient.connect(server.node.port)
        for greet in (False, True):
            bad = await RawClient.connect(server.node.port, greet=greet)
            bad.send(octets)
            assert await closes(bad)
            await bad.close()
        assert (await good.charge(sample("ccr-initial"))).is_success
        await good.close()


async def test_sixteen_megabytes_are_refused_by_name(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        client = await RawClient.connect(server.node.port)
        header = bytearray(sample("ccr-initial")[:20])
        header[1:4] = b"\xff\xff\xfc"
        client.send(bytes(header))
        answer = await client.receive()
        assert result_of(answer) == 5015
        assert answer is not None
        assert decode_header(answer).hop_by_hop == 0x556F648B
        assert await client.receive() is None
        await client.close()


async def test_requests_before_a_fault_are_answered(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 50_000_000)
        client = await RawClient.connect(server.node.port)
        client.send(sample("ccr-initial") + b"garbage!")
        assert result_of(await client.receive()) == 2001
        assert await client.receive() is None
        await client.close()


async def test_half_closed_peer_gets_its_answer(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("account", 50_000_000)
        client = await RawClient.connect(server.node.port)
        client.send(sample("ccr-initial"))
        client.writer.write_eof()
        assert result_of(await client.receive()) == 2001
        assert await client.receive() is None
        await client.close()


async def test_silent_and_half_spoken_connections_are_closed(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, limits=HASTY)) as server:
        silent = await RawClient.connect(server.node.port, greet=False)
        half = await RawClient.connect(server.node.port, greet=False)
        half.send(greeting()[:50])
        early = await RawClient.connect(server.node.port, greet=False)
        early.send(sample("ccr-initial"))
        for client in (silent, half, early):
            assert await closes(client)
            await client.close()


async def test_connections_are_bounded(tmp_path: Path) -> None:
    limits = PeerLimits(max_connections=4, farewell_seconds=0.2)
    async with running(GyServer(tmp_path, limits=limits)) as server:
        clients = [await RawClient.connect(server.node.port) for _ in range(4)]
        for _ in range(20):
            extra = await RawClient.connect(server.node.port, greet=False)
            assert await closes(extra)
            await extra.close()
        assert server.node.connections_refused == 20
        await clients.pop().close()
        clients.append(await RawClient.connect(server.node.port))
        for client in clients:
            await client.close()


async def test_strangers_have_fewer_places_than_peers(tmp_path: Path) -> None:
    limits = PeerLimits(max_strangers=2, farewell_seconds=0.2)
    async with running(GyServer(tmp_path, limits=limits)) as server:
        known = [await RawClient.connect(server.node.port) for _ in range(5)]
        strangers = [await RawClient.connect(server.node.port, greet=False) for _ in range(6)]
        for stranger in strangers[:4]:
            assert await closes(stranger)
        assert server.node.closed["evicted"] == 4
        assert len(server.node.peers) == len(known)


async def test_answers_without_a_greeting_extend_no_deadline(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path, limits=HASTY)) as server:
        stranger = await RawClient.connect(server.node.port, greet=False)
        answer = bytearray(greeting())
        answer[4] &= 0x7F  # the R bit: an answer, which nobody asked for

        async def talk() -> None:
            while True:
                stranger.send(bytes(answer))
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        assert await closes(stranger)
        talking.cancel()
        assert server.node.closed["head_late"] == 1


async def test_strangers_make_room_for_who_comes_after_them(tmp_path: Path) -> None:
    limits = PeerLimits(max_connections=3, farewell_seconds=0.2)
    async with running(GyServer(tmp_path, limits=limits)) as server:
        known = await RawClient.connect(server.node.port)
        strangers = [await RawClient.connect(server.node.port, greet=False) for _ in range(20)]
        another = await RawClient.connect(server.node.port)
        for stranger in strangers[:18]:
            assert await closes(stranger)
        assert server.node.peers == ("smf.localdomain",) * 2
        for client in (known, another):
            assert (await client.charge(sample("ccr-update-1"))).result_code == 5002


async def test_peer_that_does_not_read_is_held_back_and_then_closed(tmp_path: Path) -> None:
    limits = PeerLimits(watchdog_seconds=0.5, farewell_seconds=0.2, max_outstanding=8)
    async with running(GyServer(tmp_path, limits=limits)) as server:
        await server.credit("account", 50_000_000)
        good = await RawClient.connect(server.node.port)
        greedy = socket.create_connection(("127.0.0.1", server.node.port))
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.setblocking(False)
        greedy.send(greeting("greedy.localdomain"))
        watchdogs = DeviceWatchdogRequest(origin_host="g", origin_realm="r").encode() * 500
        loop = asyncio.get_running_loop()

        def held_octets() -> int:
            held = 0
            for connection in server.node._connections:
                assert connection._transport is not None
                held += connection._transport.get_write_buffer_size() + sum(map(len, connection._answers))
            return held

        async def flood() -> None:
            while True:
                assert held_octets() < 1_000_000
                await asyncio.wait_for(loop.sock_sendall(greedy, watchdogs), 20)
                assert (await good.charge(sample("ccr-initial"))).is_success

        with pytest.raises(ConnectionError):
            await flood()
        assert "greedy.localdomain" not in server.node.peers
        greedy.close()
        await good.close()


async def test_more_outstanding_requests_than_allowed_are_all_answered(tmp_path: Path) -> None:
    limits = PeerLimits(max_outstanding=8, farewell_seconds=0.2)
    async with running(GyServer(tmp_path, limits=limits)) as server:
        await server.credit("account", 2_000_000_000)
        client = await RawClient.connect(server.node.port)
        await client.charge(sample("ccr-initial"))
        for number in range(1, 201):
            client.send(rebuilt(sample("ccr-update-2"), {415: number.to_bytes(4, "big")}))
        numbers = [read_message(await client.receive() or b"").need(d.CC_REQUEST_NUMBER) for _ in range(200)]
        assert numbers == list(range(1, 201))
        assert server.balances("account")[0] == 200 * 1_001_000
        await client.close()


class PatientApplication:
    """Takes requests and answers none before the test releases it."""

    application_id = APPLICATION_S6A
    vendor_id = VENDOR_3GPP
    command_codes = frozenset({318})

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, Reply]] = []

    def handle(self, header: Header, message: bytes, reply: Reply, sender: Sender) -> None:
        self.waiting.append((encode_message(header._replace(flags=0), b""), reply))

    def peer_changed(self, origin_host: str, state_ids: frozenset[int]) -> None:
        """Keep nothing about peers."""


async def test_requests_beyond_the_limit_stay_unread_until_others_are_answered(tmp_path: Path) -> None:
    limits = PeerLimits(max_outstanding=8, farewell_seconds=0.2)
    patient = PatientApplication()
    async with running(GyServer(tmp_path, limits=limits, more=(patient,))) as server:
        client = await RawClient.connect(server.node.port)
        request = encode_message(Header(0x80, 318, APPLICATION_S6A, 1, 1), bytes(980))
        client.send(request * 2000)
        await asyncio.sleep(0.2)
        assert 8 <= len(patient.waiting) < 600  # the limit, and what one read brought beyond it
        answered = 0
        while answered < 2000:
            for answer, reply in patient.waiting[answered:]:
                reply(answer)
                answered += 1
            await asyncio.sleep(0)
        for _ in range(2000):
            assert await client.receive() is not None
