"""Which connections count as one client's, and which connection makes room at a limit."""

import asyncio
from ipaddress import ip_network

import pytest

from kswifi.listeners.limits import ConnectionLimits, client_group
from kswifi.listeners.pool import Cause, ConnectionPool, HeldConnection, Phase


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("64:ff9b::c000:201", "192.0.2.1", True),
        ("64:ff9b::c000:201", "64:ff9b::c000:202", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_ipv6_client_is_its_64_and_a_carried_ipv4_client_its_own_address(
    one: str, other: str, same: bool
) -> None:
    assert (client_group(one) == client_group(other)) is same


def _admit(pool: ConnectionPool, address: str, closed: list[str], name: str, phase: Phase) -> HeldConnection | None:
    return pool.admit("api", address, lambda: closed.append(name), phase)


def test_the_oldest_silent_connection_of_an_address_makes_room_at_its_limit() -> None:
    async def scenario() -> None:
        pool, closed = ConnectionPool(ConnectionLimits(per_address=3)), list[str]()
        _admit(pool, "192.0.2.9", closed, "stranger", Phase.HEAD)
        busy = [_admit(pool, "192.0.2.1", closed, "busy", Phase.ANSWER) for _ in range(2)]
        _admit(pool, "192.0.2.1", closed, "silent", Phase.HEAD)
        newest = _admit(pool, "192.0.2.1", closed, "newest", Phase.HEAD)
        assert closed == ["silent"]
        assert all(busy)
        assert newest is not None
        newest.enter(Phase.ANSWER)
        assert _admit(pool, "192.0.2.1", closed, "refused", Phase.HEAD) is None
        assert closed == ["silent"]
        assert _admit(pool, "192.0.2.2", closed, "other", Phase.HEAD) is not None
        assert pool.counts == {("api", Cause.EVICTED): 1, ("api", Cause.REFUSED_ADDRESS): 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("exempt", [True, False])
def test_only_exempt_networks_are_free_of_the_limit_per_address(exempt: bool) -> None:
    async def scenario() -> None:
        networks = (ip_network("10.0.0.0/8"),) if exempt else ()
        pool = ConnectionPool(ConnectionLimits(per_address=2, exempt=networks))
        taken = [_admit(pool, "10.1.1.1", [], "", Phase.ANSWER) for _ in range(5)]
        assert sum(it is not None for it in taken) == (5 if exempt else 2)

    asyncio.run(scenario())


def test_a_full_server_evicts_the_longest_silent_connection_and_never_a_served_one() -> None:
    async def scenario() -> None:
        pool, closed = ConnectionPool(ConnectionLimits(connections=3)), list[str]()
        _admit(pool, "192.0.2.1", closed, "idle", Phase.IDLE)
        _admit(pool, "192.0.2.2", closed, "served", Phase.ANSWER)
        await asyncio.sleep(0.01)
        _admit(pool, "192.0.2.3", closed, "shaking hands", Phase.HANDSHAKE)
        for number in range(3):  # each new connection is served at once, so that only the two old ones are silent
            new = _admit(pool, f"198.51.100.{number}", closed, "new", Phase.HEAD)
            if new is not None:
                new.enter(Phase.ANSWER)
        assert closed == ["shaking hands", "idle"]
        assert pool.counts == {("api", Cause.EVICTED): 2, ("api", Cause.REFUSED_FULL): 1}
        assert len(pool) == 3

    asyncio.run(scenario())


def test_leaving_twice_frees_one_place() -> None:
    async def scenario() -> None:
        pool = ConnectionPool(ConnectionLimits(per_address=1))
        first = _admit(pool, "192.0.2.1", [], "", Phase.HEAD)
        assert first is not None
        first.leave()
        first.leave()
        first.enter(Phase.ANSWER)
        assert len(pool) == 0
        assert _admit(pool, "192.0.2.1", [], "", Phase.ANSWER) is not None
        assert _admit(pool, "192.0.2.1", [], "", Phase.ANSWER) is None

    asyncio.run(scenario())
