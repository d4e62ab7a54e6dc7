"""SQLite's write-ahead log as octets: its frames up to the last commit, each proved by the chain of checksums.

The format is documented (sqlite.org/fileformat2.html, section 4). A log has a header with two salts and a checksum.
Each frame holds one page; it repeats the salts, and its checksum continues that of the frame before it. SQLite
begins a log anew at its start, with other salts, once all of its pages are in the database file. Old frames stay
behind the new ones until they are overwritten. Everything here is pure, except ``read_header`` and ``read_frames``.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kswifi.database.sqlite import LOG_OCTETS_KEPT

HEADER_OCTETS: Final = 32
FRAME_HEADER_OCTETS: Final = 24
READ_OCTETS: Final = 256 * 1024
"""Read from a log at once; behind the last frame lie old ones, which are read in vain."""

_HEADER: Final = struct.Struct(">IIIIIIII")
_FRAME_HEADER: Final = struct.Struct(">IIIIII")
_LITTLE_ENDIAN_MAGIC: Final = 0x377F0682
_BIG_ENDIAN_MAGIC: Final = 0x377F0683
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class WalPosition:
    """A place in a log, right behind a commit: the next frame continues the checksum."""

    checkpoint: int
    """How often SQLite has begun this log anew since it made the file."""
    salts: tuple[int, int]
    frames: int
    checksum: tuple[int, int]
    page_octets: int
    is_big_endian: bool

    @property
    def frame_octets(self) -> int:
        """The size of a frame with its header."""
        return FRAME_HEADER_OCTETS + self.page_octets

    @property
    def offset(self) -> int:
        """Where the next frame begins in the file."""
        return HEADER_OCTETS + self.frames * self.frame_octets


@dataclass(frozen=True, slots=True)
class Frame:
    """One page as it was written: its number, its octets, and the size of the database after a commit, else 0."""

    page: int
    database_pages: int
    content: bytes


def position_of(header: bytes) -> WalPosition | None:
    """Return the beginning of a log; None if its header is not complete and sound."""
    if len(header) < HEADER_OCTETS:
        return None
    magic, _, page_octets, checkpoint, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(header[:HEADER_OCTETS])
    if magic not in (_LITTLE_ENDIAN_MAGIC, _BIG_ENDIAN_MAGIC):
        return None
    is_big_endian = magic == _BIG_ENDIAN_MAGIC
    if _checksum(header[: HEADER_OCTETS - 8], (0, 0), is_big_endian=is_big_endian) != (sum_1, sum_2):
        return None
    return WalPosition(checkpoint, (salt_1, salt_2), 0, (sum_1, sum_2), page_octets, is_big_endian)


def committed_frames(octets: bytes, position: WalPosition) -> tuple[list[Frame], WalPosition]:
    """Return the frames of whole transactions at the beginning of ``octets``, and the position behind them.

    Frames of a transaction that is not committed, of an older log, or written in part end the result.
    """
    frames: list[Frame] = []
    committed, after = 0, position
    for frame, following in _frames(octets, position):
        frames.append(frame)
        if frame.database_pages:
            committed, after = len(frames), following
    return frames[:committed], after


def is_next_log(position: WalPosition, header: WalPosition) -> bool:
    """Tell whether a log with this header was begun right after the one of the position, none in between."""
    return (
        header.checkpoint == (position.checkpoint + 1) & _MASK
        and header.salts[0] == (position.salts[0] + 1) & _MASK
        and header.page_octets == position.page_octets
    )


def read_header(path: Path) -> WalPosition | None:
    """Return the beginning of the log in a file; None if there is none."""
    try:
        with path.open("rb") as file:
            return position_of(file.read(HEADER_OCTETS))
    except FileNotFoundError:
        return None


def read_frames(path: Path, position: WalPosition) -> tuple[list[Frame], WalPosition]:
    """Return the next committed frames in a file, several transactions at most, and the position behind them."""
    size = READ_OCTETS
    try:
        with path.open("rb") as file:
            while True:
                file.seek(position.offset)
                octets = file.read(size)
                frames, after = committed_frames(octets, position)
                if frames or len(octets) < size:
                    return frames, after
                size *= 4  # one transaction that is larger than what was read
    except FileNotFoundError:
        return [], position


def ended_at(path: Path, position: WalPosition) -> bool:
    """Tell whether an old log ended at ``position``, where a new one has begun and no frame of the old one follows.

    The frame before the position must still be the old one: then neither the new log, which is written from the
    start on, nor a shortening of the file has reached the position. A part of a frame behind it can be the rest of
    one that was cut off when the file was shortened.
    """
    if position.frames == 0:
        return False
    with path.open("rb") as file:
        file.seek(position.offset - position.frame_octets)
        before = file.read(FRAME_HEADER_OCTETS)
        size = file.seek(0, os.SEEK_END)
    if len(before) < FRAME_HEADER_OCTETS or _FRAME_HEADER.unpack(before)[2:4] != position.salts:
        return False
    return size >= position.offset + position.frame_octets or size == position.offset != LOG_OCTETS_KEPT


def _frames(octets: bytes, position: WalPosition) -> Iterator[tuple[Frame, WalPosition]]:
    size = position.frame_octets
    checksum, number = position.checksum, position.frames
    for at in range(0, len(octets) - size + 1, size):
        page, database_pages, salt_1, salt_2, sum_1, sum_2 = _FRAME_HEADER.unpack_from(octets, at)
        if (salt_1, salt_2) != position.salts:
            return
        content = octets[at + FRAME_HEADER_OCTETS : at + size]
        order = position.is_big_endian
        checksum = _checksum(octets[at : at + 8], checksum, is_big_endian=order)
        checksum = _checksum(content, checksum, is_big_endian=order)
        if checksum != (sum_1, sum_2):
            return
        number += 1
        yield (
            Frame(page, database_pages, content),
            replace(position, frames=number, checksum=checksum),
        )


def _checksum(octets: bytes, before: tuple[int, int], *, is_big_endian: bool) -> tuple[int, int]:
    """Return SQLite's checksum of octets, a multiple of 8, continued from the one before."""
    words = struct.unpack(f"{'>' if is_big_endian else '<'}{len(octets) // 4}I", octets)
    one, two = before
    pairs = iter(words)
    for first, second in zip(pairs, pairs, strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two
