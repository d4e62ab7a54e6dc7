"""Recover the state at start: the newest intact snapshot, then every record after it, each one checked."""

import msgspec

from kswifi.kernel.clock import monotonic_seconds
from kswifi.ledger.apply_effects import replay
from kswifi.ledger.effects import Effect
from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.state import LedgerState, Retention
from kswifi.ledger.storage.journal import Head, Journal, effects_of, follow
from kswifi.ledger.storage.snapshot import SnapshotStore
from kswifi.ledger.verify import verify


class RecoveryReport(msgspec.Struct, frozen=True):
    """How the state was recovered, for the log and for operators."""

    sequence: int
    snapshot_sequence: int | None
    rejected_snapshots: tuple[str, ...]
    """The reason for each snapshot that was not used."""
    records: int
    effects: int
    seconds: float


class Recovered(msgspec.Struct, frozen=True):
    """The state at the end of the journal."""

    state: LedgerState
    head: Head
    report: RecoveryReport


def recover(
    journal: Journal,
    end: Head,
    snapshots: SnapshotStore | None = None,
    retention: Retention | None = None,
    at_least: int = 0,
) -> Recovered:
    """Rebuild the state from the journal.

    Args:
        journal: the journal to read.
        end: the head of the journal.
        snapshots: the snapshots to begin from; None replays the whole journal.
        retention: the retention of the recovered state.
        at_least: a sequence known to have been acknowledged, from a reader that stores its own position.

    Raises:
        LedgerDamagedError: records are lost or changed, or the recovered state violates an invariant.
    """
    began = monotonic_seconds()
    state, head, rejected = _newest_snapshot(snapshots, retention)
    base = journal.base()
    if head.sequence < base.sequence:
        raise LedgerDamagedError(
            f"the journal begins with record {base.sequence}, and there is no whole snapshot of what came before",
            sequence=base.sequence,
        )
    known = max(at_least, head.sequence)
    if end.sequence < known:
        raise LedgerDamagedError(
            f"the journal ends with record {end.sequence}, but record {known} is known to have been written",
            sequence=end.sequence,
            acknowledged=known,
        )
    if end.sequence == head.sequence and end.digest != head.digest:
        raise LedgerDamagedError(
            f"the journal's record {end.sequence} is not the one its snapshot was made of", sequence=end.sequence
        )
    snapshot_sequence = head.sequence or None
    records, effects = 0, 0
    for record in follow(journal, head, end.sequence):
        effects += _replay(state, record.sequence, effects_of(record))
        records += 1
        head = Head(record.sequence, record.digest)
    if head != end:
        raise LedgerDamagedError(
            f"the journal can be read up to record {head.sequence} only, not to {end.sequence}",
            sequence=head.sequence,
        )
    if violations := verify(state):
        raise LedgerDamagedError(
            f"the journal tells what cannot be: {violations[0]}", sequence=head.sequence, violations=len(violations)
        )
    seconds = monotonic_seconds() - began
    report = RecoveryReport(head.sequence, snapshot_sequence, rejected, records, effects, seconds)
    return Recovered(state, head, report)


def _newest_snapshot(
    snapshots: SnapshotStore | None, retention: Retention | None
) -> tuple[LedgerState, Head, tuple[str, ...]]:
    rejected: list[str] = []
    if snapshots is None:
        return LedgerState(retention), Head(), ()
    for path in snapshots.paths():
        try:
            state, head = snapshots.load(path, retention)
        except FileNotFoundError:  # pruned since the listing
            continue
        except LedgerDamagedError as error:
            rejected.append(error.message)
            continue
        return state, head, tuple(rejected)
    return LedgerState(retention), Head(), tuple(rejected)


def _replay(state: LedgerState, sequence: int, effects: tuple[Effect, ...]) -> int:
    try:
        for effect in effects:
            replay(state, effect)
    except (KeyError, ValueError) as error:
        raise LedgerDamagedError(
            f"record {sequence} of the journal does not fit what came before it: {error!r}", sequence=sequence
        ) from error
    return len(effects)
