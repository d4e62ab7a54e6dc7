"""A provider's counter in the sessions' tables: first use, balance, exhaustion, overrun."""

from pathlib import Path

from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import ReportUsage
from kswifi.sessions.model import SessionState
from tests.support.session_roads import GB, open_road


async def test_reported_usage_moves_a_session_as_metered_usage_does(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored(GB)
        as_of = unix_seconds(road.clock.now())
        await road.ledger.execute(ReportUsage("usage-1", session.session_id, GB // 4, as_of))
        await road.settle()
        assert (await road.now(session)).state is SessionState.ACTIVE
        await road.ledger.execute(ReportUsage("usage-2", session.session_id, GB + 5, as_of))
        await road.settle()
        assert (await road.now(session)).state is SessionState.EXHAUSTED
        balance = (await road.usage(session)).balance
        assert (balance.used, balance.available, balance.overrun) == (GB, 0, 5)
