"""Inspect a ledger on disk: verify it, show a wallet, replay the journal, list effects. Returns data, not text.

Everything here is read-only and works while the ledger is in use; it then sees what was durable at its start.
"""

from collections import Counter
from pathlib import Path

import msgspec

from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.state import AccountView, LedgerState, ReservationView, WalletView
from kswifi.ledger.storage.journal import GENESIS, Head, effects_of, follow
from kswifi.ledger.storage.recovery import Recovered, RecoveryReport, recover
from kswifi.ledger.storage.snapshot import OldestSnapshot, SnapshotStore
from kswifi.ledger.storage.sqlite_journal import SqliteJournalReader, acknowledged


class Verified(msgspec.Struct, frozen=True):
    """The result of a complete check of the journal."""

    sequence: int
    since_sequence: int
    """Records before it are known from a snapshot only; 0 for a journal that was never pruned."""
    effects: int
    wallets: int
    accounts: int
    open_reservations: int
    damage: tuple[str, ...]
    """Damage of the journal or the snapshots in words; empty if there is none."""


class Shown(msgspec.Struct, frozen=True):
    """A wallet with its accounts and open reservations."""

    wallet: WalletView
    accounts: tuple[AccountView, ...]
    reservations: tuple[ReservationView, ...]


class Replayed(msgspec.Struct, frozen=True):
    """The result of a replay of the journal."""

    report: RecoveryReport
    effects: dict[str, int]
    """The number of effects of each kind."""


def verify(directory: Path) -> Verified:
    """Check every record and its digest, the invariants of the final state, and each snapshot against the journal.

    A pruned journal is checked from the oldest snapshot on; ``since_sequence`` is where that begins.
    """
    damage: list[str] = []
    state, sequence, since, effects = LedgerState(), 0, 0, 0
    try:
        journal = SqliteJournalReader(directory)
    except LedgerDamagedError as error:
        return Verified(0, 0, 0, 0, 0, 0, (error.message,))
    try:
        known = acknowledged(directory)  # read before the end, which the owner may move meanwhile
        recovered = _recover_all(directory, journal, at_least=known)
        state, sequence, effects = recovered.state, recovered.head.sequence, recovered.report.effects
        since = recovered.report.snapshot_sequence or 0
        damage += _damaged_snapshots(directory, journal, recovered.head)
    except LedgerDamagedError as error:
        damage.append(error.message)
    finally:
        journal.close()
    open_reservations = sum(1 for _ in state.open_reservations())
    return Verified(
        sequence, since, effects, len(state.wallets), len(state.accounts), open_reservations, tuple(damage)
    )


def show(directory: Path, *, wallet_id: str | None = None, account_id: str | None = None) -> Shown | None:
    """Return a wallet, found by its id or by one of its accounts; None if there is none.

    Raises:
        LedgerDamagedError: the journal cannot be followed to its end.
    """
    journal = SqliteJournalReader(directory)
    try:
        state = recover(journal, journal.open(), SnapshotStore(directory)).state
    finally:
        journal.close()
    if wallet_id is None and account_id is not None:
        account = state.account(account_id)
        wallet_id = account.wallet_id if account is not None else None
    wallet = state.wallet(wallet_id) if wallet_id is not None else None
    if wallet is None:
        return None
    reservations = (state.reservation(it) for it in wallet.reservation_ids)
    return Shown(
        wallet=wallet,
        accounts=tuple(state.accounts_of(wallet.wallet_id)),
        reservations=tuple(it for it in reservations if it is not None),
    )


def replay(directory: Path) -> Replayed:
    """Replay the journal from its first record without snapshots; a pruned one from its oldest snapshot.

    Raises:
        LedgerDamagedError: it cannot be followed to its end.
    """
    journal = SqliteJournalReader(directory)
    try:
        report = _recover_all(directory, journal).report
        kinds: Counter[str] = Counter()
        for record in follow(journal, journal.base(), report.sequence):
            kinds.update(type(it).__name__ for it in effects_of(record))
        return Replayed(report, dict(sorted(kinds.items())))
    finally:
        journal.close()


def _recover_all(directory: Path, journal: SqliteJournalReader, at_least: int = 0) -> Recovered:
    """Recover from the earliest point of the journal: without a snapshot, unless the journal was pruned."""
    snapshots = OldestSnapshot(directory) if journal.base().sequence else None
    return recover(journal, journal.open(), snapshots, at_least=at_least)


def _damaged_snapshots(directory: Path, journal: SqliteJournalReader, end: Head) -> list[str]:
    found = []
    snapshots = SnapshotStore(directory)
    for path in snapshots.paths():
        try:
            _, head = snapshots.load(path)
        except FileNotFoundError:  # pruned since the listing: the ledger is in use
            continue
        except LedgerDamagedError as error:
            found.append(error.message)
            continue
        records = journal.read(head.sequence - 1, 1) if head.sequence else []
        digest = records[0].digest if records and records[0].sequence == head.sequence else GENESIS
        if head.sequence > end.sequence or digest != head.digest:
            found.append(f"the snapshot {path} does not belong to this journal")
    return found
