"""What the control plane changed is told to the network at once, where the network listens.

A hold, a freeze or a top-up counts in the ledger from its commit on; without this a bearer learns of it with its
next report, at the latest after a Validity-Time. A Re-Auth-Request makes it report now, and an
Abort-Session-Request ends it. Cores ignore or refuse both: then it is as without.
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
"""Takes the Result-Code of the answer; None where none came."""

_IDLE_SECONDS: Final = 2.0
"""Since its last report: a bearer that uses what it holds reports by itself."""
_DEAF: Final = frozenset({ResultCode.COMMAND_UNSUPPORTED, ResultCode.APPLICATION_UNSUPPORTED})


class WalletChange(StrEnum):
    """What a change of the control plane means for bearers that are open."""

    MORE = "more"
    """Something can be granted that could not before."""
    LESS = "less"
    """What was granted should not be used any more."""
    NOTHING = "nothing"
    """The wallet is frozen: its bearers end."""


class Network(Protocol):
    """The way to the clients; False where it cannot be sent, and then ``told`` is not called."""

    def re_authorise(self, session_id: str, peer: str, told: Told) -> bool:
        """Make the client of a ChargingSession report and ask anew."""
        ...

    def abort(self, session_id: str, peer: str, told: Told) -> bool:
        """Make it end."""
        ...


class Notices:
    """Tells open ChargingSessions of changes; each has one notice under way at most.

    Attributes:
        network: the way to the clients, once there is one.
        unknown_there: called with a session that its client does not know (5002).
        answers: of all notices, by kind and Result-Code ("re_auth 2001", "abort unsent").
    """

    def __init__(self, sessions: SessionRegistry) -> None:
        self.network: Network | None = None
        self.answers: Counter[str] = Counter()
        self.unknown_there: Callable[[ChargingSession], object] = lambda _session: None
        self._sessions = sessions
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        """Of those under way: something changed meanwhile."""
        self._deaf: set[tuple[str, str]] = set()
        """(peer, kind) of those that said that they do not serve it."""

    def wallet_changed(self, wallet_id: str, change: WalletChange) -> int:
        """Tell the wallet's bearers that it concerns; return how many were told."""
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
        """Ask the wallet's other bearers that have been idle to report; return how many were asked.

        Args:
            wallet_id: whose bearers.
            session_id: the bearer that lacks octets, and is not asked.
            now: Unix seconds.
            pause_seconds: no bearer is asked twice within so many.
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
        known = result_code is None or 1000 <= result_code < 6000  # RFC 6733, 7.1: the classes there are
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
    """The ledger for the control plane: what it changes is told to the network as soon as it is durable."""

    def __init__(self, ledger: LedgerCommands, accounts: Callable[[], LedgerAccounts], notices: Notices) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._notices = notices

    async def execute(self, command: Command) -> Outcome:
        """Apply a command; return once it is durable. Told twice, it is announced twice: that is harmless."""
        outcome = await self._ledger.execute(command)
        if outcome.code is OutcomeCode.DONE:
            self._announce(command)
        return outcome

    def _announce(self, command: Command) -> None:
        match command:
            case do.LiftHold(wallet_id=wallet):
                self._notices.wallet_changed(wallet, WalletChange.MORE)
            case do.HoldWallet(wallet_id=wallet):
                self._notices.wallet_changed(wallet, WalletChange.LESS)
            case do.Freeze(wallet_id=wallet, frozen=frozen):
                self._notices.wallet_changed(wallet, WalletChange.NOTHING if frozen else WalletChange.MORE)
            case (
                do.ProveStorage(account_id=account)
                | do.Disburse(account_id=account)
                | do.Transfer(to_account_id=account)
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
