"""Make files from a package's file parameters: defaults of the template, overridden by the profile."""

from collections.abc import Sequence
from typing import Final

from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.state import Directory, ElementaryFile
from kswifi.rsp import tlv
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import Content, Fcp, ProprietaryInfo, Skip
from kswifi.rsp.saip.response import PeStatus
from kswifi.rsp.saip.templates import FileTemplate, FileType, default_content, fill, repeat

MF_ARR_FILE: Final = bytes.fromhex("2F06")
DF_ARR_FILE: Final = bytes.fromhex("6F06")
FILE_MAX_OCTETS: Final = 0x7FFF  # the largest offset of READ BINARY, which has 15 bits
_RECORD_MAX_OCTETS: Final = 255
_RECORDS_MAX: Final = 254
_TRANSPARENT: Final = 0x01
_LINEAR_FIXED: Final = 0x02
_CYCLIC: Final = 0x06
_BER_TLV: Final = 0x39
_STRUCTURES: Final = {
    FileType.TRANSPARENT: _TRANSPARENT,
    FileType.LINEAR_FIXED: _LINEAR_FIXED,
    FileType.CYCLIC: _CYCLIC,
    FileType.BER_TLV: _BER_TLV,
}
_ACTIVATED: Final = b"\x05"
_DER_OBJECTS: Final = b"\x01"


def unsupported(what: str, status: PeStatus = PeStatus.FEATURE_NOT_SUPPORTED) -> ProfileRefusedError:
    """Return the error for a feature that this card lacks."""
    return ProfileRefusedError(f"this card does not support {what}", reason="unsupported", status=status, what=what)


def make_directory(fcp: Fcp, file_id: bytes, *, arr_file: bytes, arr_record: int | None = None) -> Directory:
    """Return an empty directory.

    Raises:
        ProfilePackageError: its access rule is missing.
        ProfileRefusedError: it is a link, or not activated.
    """
    _check_life_cycle(fcp)
    if fcp.link_path:
        raise unsupported("linked directories")
    rule_file, rule = _access_rule(fcp, arr_file, arr_record)
    return Directory(
        file_id=file_id,
        aid=fcp.df_name,
        arr_file=rule_file,
        arr_record=rule,
        pin_status=fcp.pin_status or b"",
        pins=[],
        files=[],
        directories=[],
    )


def make_file(
    fcp: Fcp, writes: Sequence[Skip | Content], *, arr_file: bytes, template: FileTemplate | None = None
) -> ElementaryFile:
    """Return an elementary file with its content.

    Raises:
        ProfilePackageError: parameters are missing or contradict each other.
        ProfileRefusedError: the card does not support this kind of file.
    """
    _check_life_cycle(fcp)
    file_id = fcp.file_id or (template.file_id if template else None)
    if file_id is None or len(file_id) != 2:
        raise ProfilePackageError("a file has an identifier of two octets")
    rule_file, rule = _access_rule(fcp, arr_file, template.arr if template else None)
    file = ElementaryFile(
        file_id=file_id,
        sfi=_short_identifier(fcp, file_id, template),
        arr_file=rule_file,
        arr_record=rule,
        record_octets=0,
        content=b"",
    )
    if fcp.link_path:
        file.link = fcp.link_path
        return file
    structure = _structure(fcp, template)
    if structure == _BER_TLV:
        _make_ber_tlv(file, fcp, writes)
        return file
    file.record_octets, size = _dimensions(fcp, template)
    file.cyclic = structure == _CYCLIC
    file.content = _content(fcp.proprietary, template, file.record_octets, size, writes)
    return file


def _make_ber_tlv(file: ElementaryFile, fcp: Fcp, writes: Sequence[Skip | Content]) -> None:
    """Set the sizes of a BER-TLV file and its initial data objects (TS 102 221, 8.2.2.4)."""
    details = fcp.proprietary or ProprietaryInfo()
    if details.file_details != _DER_OBJECTS:
        raise unsupported("data objects that are not coded in DER")
    file.ber_tlv = True
    file.reserved_octets = int.from_bytes(fcp.file_size or b"", "big")
    file.maximum_octets = int.from_bytes(details.maximum_file_size or b"", "big")
    if any(isinstance(write, Skip) for write in writes):
        raise ProfilePackageError("a BER-TLV file has data objects, and no gaps")
    file.content = b"".join(write.octets for write in writes if isinstance(write, Content))
    tlv.children(file.content)  # refuses incomplete objects and duplicate tags
    if file.maximum_octets and file.octets() > file.maximum_octets:
        raise ProfilePackageError("a BER-TLV file has more octets than it may have")


def _check_life_cycle(fcp: Fcp) -> None:
    if fcp.life_cycle != _ACTIVATED:
        raise unsupported("files that are not activated")


def _access_rule(fcp: Fcp, arr_file: bytes, default: int | None) -> tuple[bytes, int]:
    if fcp.arr is None:
        if default is None:
            raise ProfilePackageError("a file has no access rule")
        return arr_file, default
    if len(fcp.arr) == 3:
        return fcp.arr[:2], fcp.arr[2]
    if len(fcp.arr) == 1:
        return arr_file, fcp.arr[0]
    raise ProfilePackageError("an access rule is named by one or three octets")


def _short_identifier(fcp: Fcp, file_id: bytes, template: FileTemplate | None) -> int | None:
    if fcp.short_efid is None:
        # TS 102 222: if omitted, the short identifier is the last five bits of the file identifier.
        return template.sfi if template else (file_id[1] & 0x1F or None)
    return fcp.short_efid[0] >> 3 if fcp.short_efid else None


def _dimensions(fcp: Fcp, template: FileTemplate | None) -> tuple[int, int]:
    """Return the octets of a record (0 if the file has none) and the octets of the file."""
    record_octets, records, transparent_size = 0, None, None
    if template is not None:
        if template.file_type in (FileType.LINEAR_FIXED, FileType.CYCLIC):
            record_octets, records = template.size or 0, template.records
        else:
            transparent_size = template.size
    structure = _structure(fcp, template)
    if fcp.file_descriptor is not None:
        record_octets = _record_octets(fcp.file_descriptor, structure, record_octets)
    linear = record_octets > 0
    if fcp.file_size is not None:
        size = int.from_bytes(fcp.file_size, "big")
    elif linear and records is not None:
        size = records * record_octets
    elif not linear and transparent_size is not None:
        size = transparent_size
    else:
        raise ProfilePackageError("a file has no size")
    if not 0 < size <= FILE_MAX_OCTETS:
        raise ProfilePackageError(f"a file has 1 to {FILE_MAX_OCTETS} octets, not {size}")
    if linear and (size % record_octets or size // record_octets > _RECORDS_MAX):
        raise ProfilePackageError("a file's size is no whole number of records, or of too many")
    return record_octets, size


def _structure(fcp: Fcp, template: FileTemplate | None) -> int:
    """Return the structure as coded in the file descriptor (TS 102 221, 11.1.1.4.3)."""
    structure = _STRUCTURES.get(template.file_type, 0) if template else 0
    if fcp.file_descriptor is not None:
        structure = fcp.file_descriptor[0] & 0x3F if len(fcp.file_descriptor) in (2, 4) else 0
    if structure not in _STRUCTURES.values():
        raise unsupported("this structure of files")
    return structure


def _record_octets(descriptor: bytes, structure: int, default: int) -> int:
    if structure == _TRANSPARENT:
        return 0
    octets = int.from_bytes(descriptor[2:], "big") if len(descriptor) == 4 else default
    if not 0 < octets <= _RECORD_MAX_OCTETS:
        raise ProfilePackageError(f"a record has 1 to {_RECORD_MAX_OCTETS} octets, not {octets}")
    return octets


def _content(
    proprietary: ProprietaryInfo | None,
    template: FileTemplate | None,
    record_octets: int,
    size: int,
    writes: Sequence[Skip | Content],
) -> bytes:
    unit = record_octets or size
    if proprietary is not None and proprietary.fill_pattern:
        blank = fill(proprietary.fill_pattern, unit)
    elif proprietary is not None and proprietary.repeat_pattern:
        blank = repeat(proprietary.repeat_pattern, unit)
    elif template is not None:
        blank = default_content(template, unit)
    else:
        blank = b"\xff" * unit
    content = bytearray(blank * (size // unit))
    position = 0
    for write in writes:
        if isinstance(write, Skip):
            position += write.octets
            continue
        end = position + len(write.octets)
        if end > size:
            raise ProfilePackageError("a file's content is longer than the file")
        content[position:end] = write.octets
        position = end
    return bytes(content)
