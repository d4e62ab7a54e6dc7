"""The count of one bearer on disk: a small mapped file that survives the death of the process.

``used`` is advanced before every write to a socket, by a store into mapped memory: after a SIGKILL the kernel still
has the page, so nothing that was relayed is missing from it. A power loss of the whole machine is another thing:
what the kernel had not written by then is lost; ``sync`` is called at each report to keep that small.

Layout (the machine's own byte order, which the magic number holds):

=====  ==============================================================================================
octet  content
=====  ==============================================================================================
0      magic, 8 octets
8      octets of the identity (JSON) and their CRC-32, 4 octets each; the identity from octet 16
2048   used, twice (8 octets each): the first is stored first, so that they differ by one write at most
2064   the sequence number of the valid record, 8 octets; its lowest bit names the slot
2072   how much of ``used`` went uplink, 8 octets; a crash tells one write's direction wrong at most
2304   two slots of 80 octets (2304 and 2560): a record and its CRC-32
=====  ==============================================================================================

A record is written into the slot that is not valid, then the sequence number is stored: one aligned store.
"""

import json
import mmap
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from typing import Final, Self

from kswifi.lab.gateway.errors import DamagedCountError

FILE_OCTETS: Final = 4096
LARGEST_WRITE_OCTETS: Final = 262_144
"""No single relayed write is longer: the most that a crash can overcharge."""

_MAGIC: Final = int.from_bytes(b"KSWCNT\x00\x02", "big")
_IDENTITY: Final = Struct("=II")
_IDENTITY_AT: Final = 16
_WORDS_MAGIC, _WORDS_USED, _WORDS_USED_AGAIN, _WORDS_SEQUENCE, _WORDS_UPLINK = 0, 256, 257, 258, 259
_SLOTS: Final = (2304, 2560)
_RECORD: Final = Struct("=QQQQQQQQQB")
_CRC: Final = Struct("=I")


@dataclass(frozen=True, slots=True)
class CountIdentity:
    """Whose octets a file counts: what every Credit-Control-Request of the ChargingSession repeats."""

    session_id: str
    imsi: str
    apn: str
    charging_id: int
    pdn_address: str


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A Credit-Control-Request that may have been sent and is not answered: it is repeated as it was."""

    request_type: int
    request_number: int
    used_octets: int
    reporting_reason: int | None
    uplink_octets: int = 0
    """Of ``used_octets``."""
    made_at: int = 0
    """Unix seconds; a repetition must not look like something new."""


@dataclass(frozen=True, slots=True)
class CountRecord:
    """What has been agreed with the charging server; octets are sums over the whole ChargingSession.

    ``limit_octets`` is what may be used at most, ``reported_octets`` what answered requests have reported, and
    ``reported_uplink_octets`` what of it went uplink.
    """

    limit_octets: int = 0
    reported_octets: int = 0
    next_number: int = 0
    pending: PendingRequest | None = None
    reported_uplink_octets: int = 0


class CountFile:
    """One bearer's file, mapped; used from one thread alone."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, FILE_OCTETS)
        self._words = memoryview(self._map).cast("Q")
        self.used = 0
        self.uplink = 0
        """How much of ``used`` went from the phone to the net."""
        self.record = CountRecord()
        self.identity = CountIdentity("", "", "", 0, "")

    @classmethod
    def create(cls, path: Path, identity: CountIdentity) -> Self:
        """Make the file of a new ChargingSession, on disk before its first request is sent."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.ftruncate(descriptor, FILE_OCTETS)
        count = cls(path, descriptor)
        count.identity = identity
        octets = json.dumps(asdict(identity)).encode()
        if _IDENTITY_AT + len(octets) > 8 * _WORDS_USED:
            raise ValueError("the identity of a bearer is too long for its count file")
        count._map[_IDENTITY_AT : _IDENTITY_AT + len(octets)] = octets
        _IDENTITY.pack_into(count._map, 8, len(octets), zlib.crc32(octets))
        count.write(CountRecord())
        count._words[_WORDS_MAGIC] = _MAGIC
        count.sync()
        return count

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file that an earlier gateway left.

        Raises:
            DamagedCountError: something in it cannot be true.
        """
        if path.stat().st_size != FILE_OCTETS:
            raise DamagedCountError(f"{path.name} has {path.stat().st_size} octets, not {FILE_OCTETS}")
        count = cls(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
        try:
            count._read()
        except (DamagedCountError, ValueError, TypeError, struct_error) as error:
            count.close()
            raise DamagedCountError(f"{path.name} is damaged: {error}") from error
        return count

    def advance(self, octets: int, *, uplink: bool = False) -> None:
        """Count octets that are about to be written to a socket."""
        self.used += octets
        self._words[_WORDS_USED] = self.used
        self._words[_WORDS_USED_AGAIN] = self.used
        if uplink:
            self.uplink += octets
            self._words[_WORDS_UPLINK] = self.uplink

    def give_back(self, octets: int, *, uplink: bool = False) -> None:
        """Take back what a short write left over."""
        self.advance(-octets, uplink=uplink)

    def write(self, record: CountRecord) -> None:
        """Store a record; a crash leaves the old one or the new one."""
        sequence = self._words[_WORDS_SEQUENCE] + 1
        pending = record.pending
        if pending is None:
            shape, number, used, uplink, made_at, reason = 0, 0, 0, 0, 0, None
        else:
            shape, number, used = pending.request_type, pending.request_number, pending.used_octets
            reason, uplink, made_at = pending.reporting_reason, pending.uplink_octets, pending.made_at
        body = _RECORD.pack(
            sequence, record.limit_octets, record.reported_octets, record.reported_uplink_octets,
            record.next_number, number, used, uplink, made_at, shape << 4 | (15 if reason is None else reason),
        )  # fmt: skip
        at = _SLOTS[sequence & 1]
        self._map[at : at + len(body) + 4] = body + _CRC.pack(zlib.crc32(body))
        self._words[_WORDS_SEQUENCE] = sequence
        self.record = record

    def sync(self) -> None:
        """Have the kernel write the mapped page to the disk; it may take milliseconds."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of the file and leave it."""
        self._words.release()
        self._map.close()
        os.close(self._descriptor)

    def remove(self) -> None:
        """Let go of the file and delete it: everything in it is settled."""
        self.close()
        self.path.unlink()

    def _read(self) -> None:
        if self._words[_WORDS_MAGIC] != _MAGIC:
            raise DamagedCountError("it does not start as a count file does")
        length, crc = _IDENTITY.unpack_from(self._map, 8)
        octets = self._map[_IDENTITY_AT : _IDENTITY_AT + length]
        if _IDENTITY_AT + length > 8 * _WORDS_USED or zlib.crc32(octets) != crc:
            raise DamagedCountError("its identity does not match its checksum")
        self.identity = CountIdentity(**json.loads(octets))
        self.record = self._read_record()
        used, again = self._words[_WORDS_USED], self._words[_WORDS_USED_AGAIN]
        if abs(used - again) > LARGEST_WRITE_OCTETS:
            raise DamagedCountError(f"it counts {used} and {again} octets at once")
        # The larger one: a crash between the two stores must never undercharge.
        self.used = max(used, again)
        pending = self.record.pending or PendingRequest(0, 0, 0, None)
        told = self.record.reported_octets + pending.used_octets
        if self.used < told:
            raise DamagedCountError(f"it counts {self.used} octets, fewer than were reported")
        # The direction is for the statement alone: it gives way to the sum, which is what is paid for.
        told_uplink = self.record.reported_uplink_octets + pending.uplink_octets
        self.uplink = max(told_uplink, min(self._words[_WORDS_UPLINK], self.used - told + told_uplink))

    def _read_record(self) -> CountRecord:
        sequence = self._words[_WORDS_SEQUENCE]
        at = _SLOTS[sequence & 1]
        body = self._map[at : at + _RECORD.size]
        (crc,) = _CRC.unpack_from(self._map, at + _RECORD.size)
        found, limit, reported, reported_uplink, next_number, number, used, uplink, made_at, shape = _RECORD.unpack(
            body
        )
        if zlib.crc32(body) != crc or found != sequence:
            raise DamagedCountError("its record does not match its checksum")
        pending = None
        if shape >> 4:
            reason = None if shape & 15 == 15 else shape & 15
            pending = PendingRequest(shape >> 4, number, used, reason, uplink, made_at)
        return CountRecord(limit, reported, next_number, pending, reported_uplink)
