"""Snapshots: the state at one record, so that a start need not read the whole journal.

The journal stays the source of truth: a damaged snapshot is skipped, and a snapshot that is ahead of the journal
proves that the journal lost records. While the ledger runs, a separate process makes snapshots from the journal
(see ``snapshot_process``): the state is then consistent and no request waits.

File format: 8 octets of magic with the version; blocks, each with a 4-octet length and MessagePack; an empty block;
32 octets of BLAKE2b over everything before. The first block is the head. The others are lists of wallets, accounts,
reservations, answers, beginnings of exhaustion, ends of holds and day limits, as (kind, list).
"""

import heapq
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, TypeVar

import msgspec

from kswifi.ledger.answers import unpack
from kswifi.ledger.commands import NO_ACCOUNT, HoldReason
from kswifi.ledger.errors import LedgerDamagedError
from kswifi.ledger.state import (
    Account,
    AccountStatus,
    DayLimit,
    LedgerState,
    Reservation,
    Retention,
    Wallet,
    reasons_of,
)
from kswifi.ledger.storage.journal import Head
from kswifi.ledger.storage.sqlite_journal import synchronise_directory

MAGIC: Final = b"KSWSNAP\x01"
PREFIX: Final = "ledger.snapshot."
KEEP: Final = 2
BLOCK_OBJECTS: Final = 4096
BLOCK_LIMIT: Final = 1 << 30
DIGEST_SIZE: Final = 32

_LENGTH: Final = struct.Struct(">I")

_Answers: TypeAlias = list[tuple[str, bytes]]
_T = TypeVar("_T")


class _Wallets(msgspec.Struct, array_like=True, tag=1):
    items: list[Wallet]


class _Accounts(msgspec.Struct, array_like=True, tag=2):
    items: list[Account]


class _Reservations(msgspec.Struct, array_like=True, tag=3):
    items: list[Reservation]


class _Kept(msgspec.Struct, array_like=True, tag=4):
    items: _Answers


class _Exhaustions(msgspec.Struct, array_like=True, tag=5):
    """The beginnings of holds for exhaustion, as (wallet, instant). Older snapshots have no such block."""

    items: list[tuple[str, int]]


class _HoldEnds(msgspec.Struct, array_like=True, tag=6):
    """The ends of holds, as (wallet, reason, instant). Older snapshots have no such block."""

    items: list[tuple[str, HoldReason, int]]


class _DayLimits(msgspec.Struct, array_like=True, tag=7):
    """Older snapshots have no such block."""

    items: list[DayLimit]


_Block: TypeAlias = _Wallets | _Accounts | _Reservations | _Kept | _Exhaustions | _HoldEnds | _DayLimits

_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_block = msgspec.msgpack.Decoder(_Block).decode


class SnapshotStore:
    """The snapshots in the journal's directory. The newest two intact ones are kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def paths(self) -> list[Path]:
        """Return the snapshots, newest first."""
        found = [it for it in self.directory.glob(f"{PREFIX}*") if it.name[len(PREFIX) :].isdigit()]
        return sorted(found, key=lambda it: int(it.name[len(PREFIX) :]), reverse=True)

    def write(self, state: LedgerState, head: Head) -> Path:
        """Write a snapshot to a temporary file, make it durable, rename it, and delete superseded ones."""
        path = self.directory / f"{PREFIX}{head.sequence:020d}"
        scratch = self.directory / f".{PREFIX}{os.getpid()}.tmp"
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write_state(file, state, head)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        synchronise_directory(self.directory)
        for old in self.superseded():
            old.unlink(missing_ok=True)
        return path

    def superseded(self) -> list[Path]:
        """Return the snapshots to delete: all but the newest two intact ones, once there are two."""
        paths = self.paths()
        kept = [path for path in paths if self.whole(path) is not None][:KEEP]
        return [path for path in paths if path not in kept] if len(kept) == KEEP else []

    def load(self, path: Path, retention: Retention | None = None) -> tuple[LedgerState, Head]:
        """Read a snapshot.

        Raises:
            FileNotFoundError: a newer one replaced it since it was listed; this is no damage.
            LedgerDamagedError: it is incomplete or not a snapshot.
        """
        try:
            with self._open(path) as file:
                return _read(file, path, retention)
        except FileNotFoundError:
            raise
        except (OSError, msgspec.MsgspecError, KeyError, ValueError) as error:  # ValueError: not UTF-8
            raise _damaged(path, str(error)) from error

    def whole(self, path: Path) -> Head | None:
        """Return the head of a snapshot whose digest is right; None if it is damaged or missing."""
        digest = blake2b(digest_size=DIGEST_SIZE)
        head: Head | None = None
        try:
            with self._open(path) as file:
                digest.update(file.read(len(MAGIC)))
                while block := _next_block(file, path, digest):
                    head = head or _decode_head(block)
                return head if file.read() == digest.digest() else None
        except (OSError, msgspec.MsgspecError, ValueError, LedgerDamagedError):
            return None

    def _open(self, path: Path) -> BinaryIO:
        return path.open("rb")


class OldestSnapshot(SnapshotStore):
    """The same snapshots, oldest first: to check as much as possible of a pruned journal."""

    def paths(self) -> list[Path]:
        """Return the snapshots, oldest first."""
        return super().paths()[::-1]


def write_state(file: BinaryIO, state: LedgerState, head: Head) -> None:
    """Write the state at a record in the snapshot format."""
    digest = blake2b(digest_size=DIGEST_SIZE)

    def put(octets: bytes) -> None:
        digest.update(octets)
        file.write(octets)

    put(MAGIC)
    for block in _blocks(state, head):
        put(_LENGTH.pack(len(block)))
        put(block)
    put(_LENGTH.pack(0))
    file.write(digest.digest())


def _blocks(state: LedgerState, head: Head) -> Iterator[bytes]:
    yield _encode(head)
    for wallets in _chunks(state.wallets.values()):
        yield _encode(_Wallets(wallets))
    for accounts in _chunks(state.accounts.values()):
        yield _encode(_Accounts(accounts))
    for reservations in _chunks(state.reservations.values()):
        yield _encode(_Reservations(reservations))
    for answers in _chunks(state.answers.items()):
        yield _encode(_Kept(answers))
    for exhaustions in _chunks(state.exhausted_since.items()):
        yield _encode(_Exhaustions(exhaustions))
    for ends in _chunks((*key, ends_at) for key, ends_at in state.hold_ends.items()):
        yield _encode(_HoldEnds(ends))
    for limits in _chunks(state.day_limits.values()):
        yield _encode(_DayLimits(limits))


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, BLOCK_OBJECTS)):
        yield chunk


def _read(file: BinaryIO, path: Path, retention: Retention | None) -> tuple[LedgerState, Head]:
    digest = blake2b(digest_size=DIGEST_SIZE)
    magic = file.read(len(MAGIC))
    digest.update(magic)
    if magic != MAGIC:
        raise _damaged(path, "it does not begin as one")
    head: Head | None = None
    state = LedgerState(retention)
    while block := _next_block(file, path, digest):
        if head is None:
            head = _decode_head(block)
        else:
            _take(state, _decode_block(block))
    if file.read() != digest.digest() or head is None:
        raise _damaged(path, "its digest is wrong")
    _index(state)
    return state, head


def _next_block(file: BinaryIO, path: Path, digest: blake2b) -> bytes:
    prefix = file.read(_LENGTH.size)
    digest.update(prefix)
    if len(prefix) != _LENGTH.size:
        raise _damaged(path, "it ends too early")
    (length,) = _LENGTH.unpack(prefix)
    if length > BLOCK_LIMIT:
        raise _damaged(path, f"a block of {length} octets")
    block = file.read(length)
    digest.update(block)
    if len(block) != length:
        raise _damaged(path, "it ends too early")
    return block


def _take(state: LedgerState, block: _Block) -> None:
    """Add the block's objects, with one string in memory for each identifier."""
    if isinstance(block, _Wallets):
        for wallet in block.items:
            state.wallets[wallet.wallet_id] = wallet
            state.imsis[wallet.imsi] = wallet.wallet_id
    elif isinstance(block, _Accounts):
        for account in block.items:
            account.wallet_id = state.wallets[account.wallet_id].wallet_id
            account.storage_proof = sys.intern(account.storage_proof)
            state.accounts[account.account_id] = account
    elif isinstance(block, _Reservations):
        for reservation in block.items:
            reservation.wallet_id = state.wallets[reservation.wallet_id].wallet_id
            if reservation.account_id == NO_ACCOUNT:
                reservation.account_id = NO_ACCOUNT
            else:
                reservation.account_id = state.accounts[reservation.account_id].account_id
            reservation.answers = {sys.intern(key): kept for key, kept in reservation.answers.items()}
            state.reservations[reservation.reservation_id] = reservation
    elif isinstance(block, _Kept):
        state.answers.update(block.items)
    else:
        _take_holds(state, block)


def _take_holds(state: LedgerState, block: _Exhaustions | _HoldEnds | _DayLimits) -> None:
    if isinstance(block, _HoldEnds):
        for wallet_id, reason, ends_at in block.items:
            state.hold_ends[state.wallets[wallet_id].wallet_id, reason] = ends_at
    elif isinstance(block, _DayLimits):
        for limit in block.items:
            limit.wallet_id = state.wallets[limit.wallet_id].wallet_id
            state.day_limits[limit.wallet_id] = limit
    else:
        for wallet_id, since in block.items:
            state.exhausted_since[state.wallets[wallet_id].wallet_id] = since


def _index(state: LedgerState) -> None:
    for wallet in state.wallets.values():
        wallet.account_ids = tuple(state.accounts[it].account_id for it in wallet.account_ids)
        wallet.reservation_ids = tuple(state.reservations[it].reservation_id for it in wallet.reservation_ids)
        if wallet.active_account_id is not None:
            wallet.active_account_id = state.accounts[wallet.active_account_id].account_id
    for reservation in state.reservations.values():
        if reservation.closed:
            state.forgettable.append((reservation.forget_at, True, reservation.reservation_id))
        else:
            reservation.watched_at = reservation.expires_at
            state.supervised.append((reservation.expires_at, reservation.reservation_id))
    for command_id, kept in state.answers.items():
        state.forgettable.append((unpack(kept).forget_at, False, command_id))
    heapq.heapify(state.forgettable)
    heapq.heapify(state.supervised)
    _date_exhaustions(state)


def _date_exhaustions(state: LedgerState) -> None:
    """Find out when holds for exhaustion began, if an older snapshot does not contain it."""
    undated = {
        wallet.wallet_id
        for wallet in state.wallets.values()
        if "exhausted" in reasons_of(wallet.hold) and wallet.wallet_id not in state.exhausted_since
    }
    if not undated:
        return
    for account in state.accounts.values():
        if account.wallet_id in undated and account.status is AccountStatus.EXHAUSTED:
            since = max(account.ended_at, state.exhausted_since.get(account.wallet_id, 0))
            state.exhausted_since[account.wallet_id] = since


def _damaged(path: Path, why: str) -> LedgerDamagedError:
    return LedgerDamagedError(f"the snapshot {path} is damaged: {why}", path=str(path))
