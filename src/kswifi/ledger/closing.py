"""Close accounts that ended long ago, so that the ledger does not grow for ever."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from kswifi.ledger.commands import Close, Command, Outcome, OutcomeCode
from kswifi.ledger.state import LedgerState

EXAMINED_AT_ONCE: Final = 5_000
"""Accounts examined between two turns of the event loop: about one millisecond."""
CLOSED_AT_ONCE: Final = 256


class Ledger(Protocol):
    """The part of the ledger that closing uses."""

    @property
    def state(self) -> LedgerState:
        """The state in memory."""
        ...

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return once it is durable."""
        ...


class AccountClosing:
    """Closes ended accounts whose retention and expiry are over; ``close_some`` is a housekeeping task."""

    def __init__(self, ledger: Ledger, now: Callable[[], int]) -> None:
        """Set up the closing; ``now`` returns the instant in Unix seconds."""
        self._ledger = ledger
        self._now = now
        self._unseen: list[str] = []
        """Accounts that this round has not examined yet."""

    async def close_some(self) -> int:
        """Close a bounded number of accounts; return how many, or 0 once all accounts were examined.

        Raises:
            LedgerError: the ledger cannot take commands now; the next call continues.
        """
        state = self._ledger.state
        if not self._unseen:
            self._unseen = list(state.accounts)
        due: list[str] = []
        while self._unseen and len(due) < CLOSED_AT_ONCE:
            at = self._now()
            piece = self._unseen[-EXAMINED_AT_ONCE:]
            del self._unseen[-EXAMINED_AT_ONCE:]
            due += [account_id for account_id in piece if state.is_closable(account_id, at)]
            await asyncio.sleep(0)
        outcomes = [await self._ledger.execute(Close(f"close:{it}", it)) for it in due]
        return sum(outcome.code is OutcomeCode.DONE for outcome in outcomes)
