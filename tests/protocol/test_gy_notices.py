"""Re-Auth and Abort-Session: sent where a change concerns an open bearer, and to its peer alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import AnnouncingLedger
from kswifi.diameter.constants import Command, ReportingReason
from kswifi.diameter.messages.server_requests import ServerRequest, ServerRequestAnswer
from kswifi.ledger import commands as do
from kswifi.servers.diameter.peer_connection import PeerLimits
from tests.support.charging import INITIAL, UPDATE, request, units
from tests.support.diameter_samples import IMSI
from tests.support.gy_server import WALLET, GyServer, RawClient, running

SMF, GATEWAY = "smf.localdomain", "gateway.localdomain"
MB = 1_000_000
QUICK = PeerLimits(farewell_seconds=0.2, watchdog_seconds=2.0, greeting_seconds=1.0, answer_seconds=0.2)


@asynccontextmanager
async def connected(
    folder: Path, host: str = GATEWAY
) -> AsyncIterator[tuple[GyServer, AnnouncingLedger, RawClient]]:
    policy = ChargingPolicy(control_only_peers=frozenset({GATEWAY}))
    async with running(GyServer(folder, policy=policy, limits=QUICK)) as server:
        await server.credit("a", 50 * MB)
        client = await RawClient.connect(server.node.port, host=host)
        yield server, server.control, client
        await client.close()


async def asked(client: RawClient) -> ServerRequest:
    return ServerRequest.decode(await client.receive() or b"")


def answer(client: RawClient, theirs: ServerRequest, result_code: int) -> None:
    client.send(
        ServerRequestAnswer(
            command_code=theirs.command_code,
            session_id=theirs.session_id,
            result_code=result_code,
            origin_host=GATEWAY,
            origin_realm="localdomain",
            hop_by_hop=theirs.hop_by_hop,
            end_to_end=theirs.end_to_end,
        ).encode()
    )


async def open_bearer(client: RawClient, host: str = GATEWAY) -> None:
    assert (await client.charge(request(INITIAL, 0, units(), host=host, imsi=IMSI).encode())).result_code == 2001


async def settles(server: GyServer, what: str) -> None:
    for _ in range(300):
        if server.service.notices.answers[what]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(dict(server.service.notices.answers))


async def test_a_pause_counts_at_once_and_so_does_its_end(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, ledger, client):
        await open_bearer(client)
        await ledger.execute(do.HoldWallet("pause", WALLET, "paused"))
        theirs = await asked(client)
        assert theirs.command_code is Command.RE_AUTH
        assert (theirs.session_id, theirs.destination_host) == ("s;1", GATEWAY)
        assert theirs.destination_realm == "localdomain"
        answer(client, theirs, 2002)
        report = units(300_000, reason=ReportingReason.FORCED_REAUTHORISATION)
        told = await client.charge(request(UPDATE, 1, report, host=GATEWAY, imsi=IMSI).encode())
        assert (told.services[0].granted, server.balances("a")[0]) != (None, 0)
        assert told.services[0].granted is not None
        assert told.services[0].granted.cc_total_octets == 0
        # On hold already, another pause has nothing to tell; its end does.
        assert server.service.notices.answers["re_auth 2002"] == 1
        await ledger.execute(do.HoldWallet("again", WALLET, "paused"))
        await ledger.execute(do.LiftHold("lift", WALLET))
        answer(client, await asked(client), 2002)
        told = await client.charge(request(UPDATE, 2, units(0), host=GATEWAY, imsi=IMSI).encode())
        assert told.services[0].granted is not None
        assert told.services[0].granted.cc_total_octets
        await settles(server, "re_auth 2002")
        assert server.service.notices.answers == {"re_auth 2002": 2}


async def test_a_change_while_a_notice_is_under_way_is_sent_after_it(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_server, ledger, client):
        await open_bearer(client)
        await ledger.execute(do.HoldWallet("pause", WALLET, "paused"))
        theirs = await asked(client)
        await ledger.execute(do.Revoke("rev", "a", "x"))
        answer(client, theirs, 2002)
        assert (await asked(client)).command_code is Command.RE_AUTH


async def test_what_does_not_concern_the_bearer_is_not_told(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, ledger, client):
        await open_bearer(client)
        expires_at = int(server.clock.now().timestamp()) + 86_400
        await ledger.execute(do.Credit("c-b", WALLET, "b", 5 * MB, expires_at))
        await ledger.execute(do.ProveStorage("p-b", "b", "por"))  # there is more: but it has enough
        await ledger.execute(do.LiftHold("lift", WALLET))
        refused = await ledger.execute(do.HoldWallet("nobody", "wallet-9", "paused"))
        assert refused.code is do.OutcomeCode.UNKNOWN_WALLET
        assert server.service.notices.answers == {}
        await ledger.execute(do.Revoke("rev", "a", "refund"))
        assert (await asked(client)).command_code is Command.RE_AUTH


async def test_a_top_up_is_notified_to_a_bearer_on_its_final_grant(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, ledger, client):
        await open_bearer(client)
        used = units(45 * MB)  # non-blocking: it ran over its grant; what is left fits one last grant
        told = await client.charge(request(UPDATE, 1, used, host=GATEWAY, imsi=IMSI).encode())
        assert told.services[0].final_unit is not None
        expires_at = int(server.clock.now().timestamp()) + 86_400
        await ledger.execute(do.Credit("c-b", WALLET, "b", 5 * MB, expires_at))
        await ledger.execute(do.ProveStorage("p-b", "b", "por"))
        assert (await asked(client)).command_code is Command.RE_AUTH


async def test_a_freeze_aborts_and_a_core_that_cannot_is_re_authorised(tmp_path: Path) -> None:
    async with connected(tmp_path, SMF) as (_server, ledger, client):
        await open_bearer(client, SMF)
        await ledger.execute(do.Freeze("f", WALLET, True))
        theirs = await asked(client)
        assert theirs.command_code is Command.ABORT_SESSION
        answer(client, theirs, 3001)
        theirs = await asked(client)
        assert theirs.command_code is Command.RE_AUTH
        answer(client, theirs, 2001)
        refused = await client.charge(request(UPDATE, 1, units(1), host=SMF, imsi=IMSI).encode())
        assert refused.result_code == 4010
        # It said that it does not serve ASR: it is not asked again.
        await ledger.execute(do.Freeze("f2", WALLET, True))
        assert (await asked(client)).command_code is Command.RE_AUTH


async def test_silence_a_lost_peer_and_a_stranger_hurt_nobody(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, ledger, client):
        await open_bearer(client)
        stranger = await RawClient.connect(server.node.port, host="evil.localdomain")
        await ledger.execute(do.HoldWallet("pause", WALLET, "paused"))
        theirs = await asked(client)
        answer(stranger, theirs, 2001)  # not whom we asked
        await settles(server, "re_auth unanswered")
        assert server.service.notices.answers["re_auth 2001"] == 0
        await ledger.execute(do.Revoke("rev", "a", "x"))
        await asked(client)
        await client.close()
        for _ in range(200):
            if server.service.notices.answers["re_auth unanswered"] == 2:
                break
            await asyncio.sleep(0.01)
        assert server.service.notices.answers["re_auth unanswered"] == 2
        await ledger.execute(do.HoldWallet("p3", WALLET, "paused"))
        assert server.service.notices.answers["re_auth unsent"] == 1
        await stranger.close()
