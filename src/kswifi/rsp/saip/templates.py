"""The file tables of the templates (SAIP, annex A), whose elements refer to files by position.

The order of the rows is part of the format. The rows of the CSIM have only what 3GPP2 C.S0065 specifies
(identifier, structure, size); access rules and content come from the profile.
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

MF_TEMPLATE: Final = "2.23.143.1.2.1"
USIM_TEMPLATE: Final = "2.23.143.1.2.4"


class FileType(StrEnum):
    """The kind of file that a row of a template makes."""

    MF = "MF"
    ADF = "ADF"
    DF = "DF"
    TRANSPARENT = "TR"
    LINEAR_FIXED = "LF"
    CYCLIC = "CY"
    BER_TLV = "BT"


@dataclass(frozen=True, slots=True)
class FileTemplate:
    """One file of a template; a field that is None must come from the profile.

    ``size`` is in octets, of a transparent file or of one record of a linear fixed file. ``default`` is the
    content in the table's notation: hexadecimal, where ``FF...FF`` fills the space up to the octets after it;
    ``repeats`` repeats it to the end. ``by_default``: made unless the profile excludes it; otherwise made
    only if the profile names it. ``parent``: its directory, below the first one of the template.
    """

    name: str
    file_type: FileType
    file_id: bytes | None
    records: int | None
    size: int | None
    arr: int | None
    sfi: int | None
    default: str | None
    by_default: bool = True
    repeats: bool = False
    parent: bytes | None = None


@cache
def templates() -> dict[str, tuple[FileTemplate, ...]]:
    """Return the tables by the template's object identifier."""
    found: dict[str, list[FileTemplate]] = {}
    text = (resources.files("kswifi.rsp.saip") / "templates.csv").read_text(encoding="ascii")
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["template_oid"], []).append(
            FileTemplate(
                name=row["file"],
                file_type=FileType(row["type"]),
                file_id=bytes.fromhex(row["fid"]) or None,
                records=int(row["records"]) if row["records"] else None,
                size=int(row["size"]) if row["size"] else None,
                arr=int(row["arr"]) if row["arr"] else None,
                sfi=int(row["sfi"], 16) if row["sfi"] else None,
                default=row["default"] or None,
                by_default=row["created"] == "mandatory",
                repeats=row["repeats"] == "repeat",
                parent=bytes.fromhex(row["parent"]) or None,
            )
        )
    return {oid: tuple(rows) for oid, rows in found.items()}


def place(oid: str, name: str) -> int:
    """Return the position of a template's file.

    Raises:
        KeyError: the template has no such file.
    """
    for number, row in enumerate(templates()[oid]):
        if row.name == name:
            return number
    raise KeyError(name)


def default_content(template: FileTemplate, size: int) -> bytes:
    """Return the initial content of a file or record; FF if the table has none."""
    if template.default is None:
        return b"\xff" * size
    head, dots, rest = template.default.partition("...")
    pattern = bytes.fromhex(head)
    if not dots:
        return repeat(pattern, size) if template.repeats else pattern.ljust(size, b"\xff")[:size]
    end = bytes.fromhex(rest)[1:]  # the dots are between two equal octets
    return fill(pattern, max(size - len(end), 0)) + end[:size]


def fill(pattern: bytes, size: int) -> bytes:
    """Return a pattern whose last octet is repeated to the end (TS 102 222, tag C1)."""
    return pattern.ljust(size, pattern[-1:])[:size]


def repeat(pattern: bytes, size: int) -> bytes:
    """Return a pattern repeated to the end (TS 102 222, tag C2)."""
    return (pattern * (size // len(pattern) + 1))[:size]
