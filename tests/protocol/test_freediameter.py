"""A live freeDiameter between a client and our server: greeting, watchdogs, relayed requests, farewell."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kswifi.diameter.constants import Command, DisconnectCause
from kswifi.diameter.header import decode_header
from kswifi.diameter.messages.base import DisconnectPeerRequest
from kswifi.diameter.messages.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.ledger import commands as do
from kswifi.servers.diameter.peer_connection import PeerLimits
from kswifi.servers.diameter.peer_rules import PeerRules
from tests.support.diameter_samples import CCR_NAMES, sample
from tests.support.free_diameter import IDENTITY, free_diameter, free_port, required
from tests.support.gy_server import GyServer, RawClient, running

# freeDiameter 1.5 logs this as an error for every peer that its configuration does not name, also after its DPR.
UNKNOWN_PEER_LEFT = "smf.localdomain: Going to ZOMBIE state (no more activity) after abnormal shutdown"
LIMITS = PeerLimits(watchdog_seconds=1.0, farewell_seconds=2.0)


async def until(what: str, is_so: Callable[[], bool]) -> None:
    for _ in range(900):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(what)


async def client_of(port: int) -> RawClient:
    for _ in range(100):
        with suppress(ConnectionError, OSError):
            return await RawClient.connect(port)
        await asyncio.sleep(0.1)
    raise AssertionError("freeDiameter does not listen")


def answer_to(theirs: ServerRequest) -> bytes:
    return ServerRequestAnswer(
        command_code=theirs.command_code,
        session_id=theirs.session_id,
        result_code=2002,
        origin_host="smf.localdomain",
        origin_realm="localdomain",
        hop_by_hop=theirs.hop_by_hop,
        end_to_end=theirs.end_to_end,
    ).encode()


async def test_a_live_free_diameter_relays_for_us(tmp_path: Path) -> None:
    required()

    rules = PeerRules(agents=frozenset({IDENTITY}))  # it forwards requests whose origin is the SMF
    async with running(GyServer(tmp_path, limits=LIMITS, rules=rules)) as server:
        await server.credit("a", 50_000_000)
        port = free_port()
        with free_diameter(tmp_path, server.node.port, port) as relay:
            await until("CER/CEA", lambda: IDENTITY in server.node.peers)
            # Our watchdogs go out each second of silence; one unanswered would close the connection.
            (connection,) = server.node._connections
            await asyncio.sleep(2.5)
            assert (server.node.peers, tuple(server.node._connections)) == ((IDENTITY,), (connection,))

            client = await client_of(port)
            results = []
            for name in CCR_NAMES:
                results.append((await client.charge(sample(name))).result_code)
                if name == "ccr-update-1":
                    await server.control.execute(do.Revoke("revoke", "a", "test"))
                    theirs = ServerRequest.decode(await client.receive() or b"")
                    assert theirs.command_code is Command.RE_AUTH
                    assert theirs.destination_host == "smf.localdomain"
                    client.send(answer_to(theirs))
                    await until("RAA", lambda: server.service.notices.answers["re_auth 2002"] == 1)
            assert results[:2] == [2001, 2001]
            assert set(results[2:-1]) == {4012}
            assert results[-1] == 2001
            # A client that only closes its connection is an error to freeDiameter 1.5.
            farewell = DisconnectPeerRequest(
                origin_host="smf.localdomain",
                origin_realm="localdomain",
                disconnect_cause=DisconnectCause.REBOOTING,
            )
            assert decode_header(await client.ask(farewell.encode())).command_code == Command.DISCONNECT_PEER
            await client.close()
            leaving = asyncio.get_running_loop().run_in_executor(None, relay.leave)
            await until("DPR/DPA", lambda: not server.node.peers)
            assert await leaving == 0
            errors = [line for line in relay.log.read_text().splitlines() if "ERROR" in line]
            assert [line for line in errors if not line.endswith(UNKNOWN_PEER_LEFT)] == []
