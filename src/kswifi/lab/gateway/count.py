"""The count of one bearer on disk: a small memory-mapped file that survives a crash of the process.

``used`` is advanced before every write to a socket, by a store into mapped memory. After a SIGKILL the kernel still
has the page, so no relayed octet is missing from the count. A power failure is different: pages that the kernel has
not written by then are lost. ``sync`` is called at each report, so that at most the usage since then is lost.

Layout (in the byte order of the machine, which the magic number reveals):

=====  ==============================================================================================
octet  content
=====  ==============================================================================================
0      magic, 8 octets
8      octets of the identity (JSON) and their CRC-32, 4 octets each; the identity from octet 16
2048   used, twice (8 octets each): the first is stored first, so that they differ by at most one write
2064   the sequence number of the valid record, 8 octets; its lowest bit selects the slot
2072   how much of ``used`` went uplink, 8 octets; after a crash it can be wrong by one write
2304   two slots of 80 octets (2304 and 2560): a record and its CRC-32
=====  ==============================================================================================

A record is written into the slot that is not valid. Then the sequence number is stored, in one aligned store, which
makes that slot the valid one. So a crash leaves the old record or the new one.
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
"""The longest single write of a relay, and so the most octets that a crash can count without sending them."""

_MAGIC: Final = int.from_bytes(b"KSWCNT\x00\x02", "big")
_IDENTITY: Final = Struct("=II")
_IDENTITY_AT: Final = 16
_WORDS_MAGIC, _WORDS_USED, _WORDS_USED_AGAIN, _WORDS_SEQUENCE, _WORDS_UPLINK = 0, 256, 257, 258, 259
_SLOTS: Final = (2304, 2560)
_RECORD: Final = Struct("=QQQQQQQQQB")
_CRC: Final = Struct("=I")


@dataclass(frozen=True, slots=True)
class CountIdentity:
    """The ChargingSession that a file belongs to; every Credit-Control-Request repeats these values.

    Attributes:
        session_id: the Diameter Session-Id.
        imsi: the subscriber.
        apn: the access point (Called-Station-Id).
        charging_id: 3GPP-Charging-Id, 32 bits.
        pdn_address: the phone's IP address.
    """

    session_id: str
    imsi: str
    apn: str
    charging_id: int
    pdn_address: str


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A Credit-Control-Request that may have been sent and is not answered. It is repeated unchanged.

    ``used_octets`` and ``uplink_octets`` are the usage that it reports.
    """

    request_type: int
    request_number: int
    used_octets: int
    reporting_reason: int | None
    uplink_octets: int = 0
    """The part of ``used_octets`` that went from the phone to the net."""
    made_at: int = 0
    """Event-Timestamp in Unix seconds; a repetition carries the time of the original."""


@dataclass(frozen=True, slots=True)
class CountRecord:
    """The state of credit control; octets are sums over the whole ChargingSession.

    Attributes:
        limit_octets: how many octets may be used.
        reported_octets: how many octets answered requests have reported.
        next_number: the CC-Request-Number of the next request.
        pending: the request that is not answered yet.
        reported_uplink_octets: the part of ``reported_octets`` that went from the phone to the net.
    """

    limit_octets: int = 0
    reported_octets: int = 0
    next_number: int = 0
    pending: PendingRequest | None = None
    reported_uplink_octets: int = 0


class CountFile:
    """The mapped file of one bearer. Use it from one thread only."""

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
        """Create the file of a new ChargingSession. It is on disk when this returns, before any request is sent.

        Raises:
            FileExistsError: the file exists.
            ValueError: the identity is too long for the file.
        """
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
            DamagedCountError: a checksum is wrong, or the values contradict each other.
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
        """Subtract octets that were counted but not written."""
        self.advance(-octets, uplink=uplink)

    def write(self, record: CountRecord) -> None:
        """Store a record atomically: a crash leaves the old record or the new one."""
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
        """Write the mapped page to the disk. Blocks for some milliseconds."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file and keep it."""
        self._words.release()
        self._map.close()
        os.close(self._descriptor)

    def remove(self) -> None:
        """Close the file and delete it, after everything in it has been settled."""
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
        # A crash between the two stores leaves them different. The larger value is right or one write too high.
        self.used = max(used, again)
        pending = self.record.pending or PendingRequest(0, 0, 0, None)
        reported = self.record.reported_octets + pending.used_octets
        if self.used < reported:
            raise DamagedCountError(f"it counts {self.used} octets, fewer than were reported")
        # The sum is what is paid for; the direction is only shown. So an impossible direction is made to fit the
        # sum.
        reported_uplink = self.record.reported_uplink_octets + pending.uplink_octets
        self.uplink = max(reported_uplink, min(self._words[_WORDS_UPLINK], self.used - reported + reported_uplink))

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
