"""Notify the network at once of changes by the control plane, if the network supports that.

A hold, a freeze or a top-up counts in the ledger from its commit on. Without a notice a bearer gets it with its
next report, at the latest after a Validity-Time. A Re-Auth-Request makes the client report now; an
Abort-Session-Request makes it end the session (RFC 6733, 8.3 and 8.5). Some cores ignore or refuse both; the next
report then has to do.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final, Protocol, TypeAlias

from kswifi.charging.model import Access, ChargingSession
from kswifi.charging.registry import SessionRegistry
from kswifi.diameter.constants import ResultCode
from kswifi.ledger import commands as do
from kswifi.ledger.commands import Command, Outcome, OutcomeCode
from kswifi.ledger.ports import LedgerAccounts, LedgerCommands

Told: TypeAlias = Callable[[int | None], None]
"""Takes the Result-Code of the answer; None if no answer came."""

_IDLE_SECONDS: Final = 2.0
"""Since the last report. A bearer that uses what it holds reports by itself."""
_DEAF: Final = frozenset({ResultCode.COMMAND_UNSUPPORTED, ResultCode.APPLICATION_UNSUPPORTED})


class WalletChange(StrEnum):
    """The effect of a change by the control plane on open bearers."""

    MORE = "more"
    """Octets can be granted that could not be granted before."""
    LESS = "less"
    """Octets that were granted should no longer be used."""
    NOTHING = "nothing"
    """The wallet is frozen: its bearers are to end."""


class Network(Protocol):
    """Sends requests to the clients. Returns False if it cannot send; ``told`` is then not called."""

    def re_authorise(self, session_id: str, peer: str, told: Told) -> bool:
        """Make the client of a ChargingSession report and ask anew (Re-Auth-Request)."""
        ...

    def abort(self, session_id: str, peer: str, told: Told) -> bool:
        """Make the client end the session (Abort-Session-Request)."""
        ...


class Notices:
    """Notifies open ChargingSessions of changes; at most one notice per session is under way.

    Attributes:
        network: sends to the clients; None before it is set.
        unknown_there: called with a session that its client does not know (5002).
        answers: counts of all notices, by kind and Result-Code ("re_auth 2001", "abort unsent").
    """

    def __init__(self, sessions: SessionRegistry) -> None:
        self.network: Network | None = None
        self.answers: Counter[str] = Counter()
        self.unknown_there: Callable[[ChargingSession], object] = lambda _session: None
        self._sessions = sessions
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        """Sessions with a notice under way whose wallet changed again meanwhile."""
        self._deaf: set[tuple[str, str]] = set()
        """(peer, kind) of the requests that a peer does not support."""

    def wallet_changed(self, wallet_id: str, change: WalletChange) -> int:
        """Notify the wallet's bearers that the change concerns; return how many notices were sent."""
        told = 0
        for it in self._sessions.of_wallet(wallet_id):
            if it.session_id in self._under_way:
                self._again.add(it.session_id)
            elif change is WalletChange.NOTHING:
                told += self._send("abort", it) or self._send("re_auth", it)
            elif change is WalletChange.LESS:
                told += it.access is Access.FULL and self._send("re_auth", it)
            else:
                told += (it.access is Access.CONTROL_ONLY or it.on_final_grant) and self._send("re_auth", it)
        return told

    def call_in(self, wallet_id: str, session_id: str, now: float, pause_seconds: float) -> int:
        """Ask the wallet's other, idle bearers to report; return how many were asked.

        Args:
            wallet_id: the wallet of the line.
            session_id: the bearer that lacks octets; it is not asked.
            now: Unix seconds.
            pause_seconds: the least time between two requests to the same bearer.
        """
        asked = 0
        for it in self._sessions.of_wallet(wallet_id):
            idle = now - it.last_report_at >= _IDLE_SECONDS and now - it.called_in_at >= pause_seconds
            if it.session_id == session_id or it.access is not Access.FULL or not idle:
                continue
            it.called_in_at = now
            if it.session_id not in self._under_way:
                asked += self._send("re_auth", it)
        return asked

    def _send(self, kind: str, it: ChargingSession) -> bool:
        peer = it.bearer.peer
        if self.network is None or (peer, kind) in self._deaf:
            return False
        send = self.network.abort if kind == "abort" else self.network.re_authorise
        self._under_way.add(it.session_id)
        if send(it.session_id, peer, partial(self._told, kind, it)):
            return True
        self._under_way.discard(it.session_id)
        self.answers[f"{kind} unsent"] += 1
        return False

    def _told(self, kind: str, it: ChargingSession, result_code: int | None) -> None:
        self._under_way.discard(it.session_id)
        known = result_code is None or 1000 <= result_code < 6000  # RFC 6733, 7.1: the defined classes
        self.answers[f"{kind} {(result_code or 'unanswered') if known else 'other'}"] += 1
        if result_code in _DEAF:
            self._deaf.add((it.bearer.peer, kind))
        again = it.session_id in self._again or (kind == "abort" and result_code in _DEAF)
        self._again.discard(it.session_id)
        if result_code == ResultCode.UNKNOWN_SESSION_ID:
            self.unknown_there(it)
        if again and self._sessions.get(it.session_id) is it:
            self._send("re_auth", it)


class AnnouncingLedger:
    """The ledger for the control plane: it notifies the network of a change as soon as the change is durable."""

    def __init__(self, ledger: LedgerCommands, accounts: Callable[[], LedgerAccounts], notices: Notices) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._notices = notices

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return once it is durable. A repeated command notifies again, which is harmless."""
        outcome = await self._ledger.execute(command)
        if outcome.code is OutcomeCode.DONE:
            self._announce(command)
        return outcome

    def _announce(self, command: Command) -> None:
        match command:
            case do.LiftHold(wallet_id=wallet) | do.EndHold(wallet_id=wallet) | do.LiftLimit(wallet_id=wallet):
                self._notices.wallet_changed(wallet, WalletChange.MORE)
            case do.HoldWallet(wallet_id=wallet) | do.PauseUntil(wallet_id=wallet):
                self._notices.wallet_changed(wallet, WalletChange.LESS)
            case do.LimitDay(wallet_id=wallet):
                # A lower limit concerns those that hold octets, a higher one those that have none.
                self._notices.wallet_changed(wallet, WalletChange.LESS)
                self._notices.wallet_changed(wallet, WalletChange.MORE)
            case do.Freeze(wallet_id=wallet, frozen=frozen):
                self._notices.wallet_changed(wallet, WalletChange.NOTHING if frozen else WalletChange.MORE)
            case (
                do.ProveStorage(account_id=account)
                | do.Disburse(account_id=account)
                | do.Receive(account_id=account)
            ):
                self._announce_account(account, WalletChange.MORE)
            case do.Revoke(account_id=account) | do.Expire(account_id=account):
                self._announce_account(account, WalletChange.LESS)
            case _:
                pass

    def _announce_account(self, account_id: str, change: WalletChange) -> None:
        account = self._accounts().account(account_id)
        if account is not None:
            self._notices.wallet_changed(account.wallet_id, change)
