"""Accounts that ended long ago are forgotten, and never credited again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kswifi.kernel.clock import unix_seconds
from kswifi.ledger import closing
from kswifi.ledger import commands as do
from kswifi.ledger.closing import AccountClosing
from kswifi.ledger.commands import OutcomeCode
from tests.support.clocks import ManualClock
from tests.support.ledgers import open_ledger
from tests.support.small_ledger import LATER, Ledger


def test_an_account_is_not_closed_before_its_own_expiry(ledger: Ledger) -> None:
    """Otherwise a late copy of its credit would credit it again."""
    far = LATER + 300 * 86_400
    credit = do.Credit("credit", "w", "a", 100, far)
    ledger.do(credit)
    ledger.do(do.Revoke(ledger.id(), "a", "fraud"))
    ledger.at += 36 * 86_400
    assert ledger.do(do.Close(ledger.id(), "a")).code is OutcomeCode.NOT_DUE
    ledger.at = far
    assert ledger.do(do.Close(ledger.id(), "a")).code is OutcomeCode.DONE
    ledger.state.answers.clear()  # long forgotten
    assert ledger.do(credit).code is OutcomeCode.EXPIRED
    assert ledger.state.account("a") is None


async def test_the_chore_closes_what_is_due_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "EXAMINED_AT_ONCE", 3)
    monkeypatch.setattr(closing, "CLOSED_AT_ONCE", 2)
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    client = open_ledger(tmp_path, clock)
    await client.start()
    await client.execute(do.OpenWallet("o", "w", "001010000000001"))
    for number in range(10):
        until = unix_seconds(clock.now() + timedelta(days=10 if number < 8 else 900))
        await client.execute(do.Credit(f"c{number}", "w", f"a{number}", 100, until))
    clock.advance(timedelta(days=11))
    for number in range(7):
        await client.execute(do.Expire(f"e{number}", f"a{number}"))
    await client.execute(do.Revoke("r", "a8", "fraud"))
    chore = AccountClosing(client, lambda: unix_seconds(clock.now()))
    assert await chore.close_some() == 0
    clock.advance(timedelta(days=40))
    closed = []
    while count := await chore.close_some():
        closed.append(count)
    assert sum(closed) == 7
    assert len(closed) > 1  # a bounded number at a time
    assert set(client.state.accounts) == {"a7", "a8", "a9"}
    await client.close()
    again = open_ledger(tmp_path, clock)
    await again.start()
    assert set(again.state.accounts) == {"a7", "a8", "a9"}
    await again.close()
