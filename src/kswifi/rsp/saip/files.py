"""The profile elements that make files: file control parameters, files of templates, generic file management.

A file is a sequence of operations: its parameters, then contents and gaps, each after the end of the previous
one.
"""

from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from kswifi.rsp import tlv
from kswifi.rsp.saip import der
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.package import ElementHeader, ElementKind, encode_element

_ACTIVATED: Final = b"\x05"
_NO_SPECIAL_INFORMATION: Final = b"\x00"
_BER_TLV_DETAILS: Final = b"\x01"
_CREATE_FCP: Final = 0x62
_FIRST_FILE_PLACE: Final = 2  # after the header and the template's identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ProprietaryInfo:
    """The part of the file control parameters that TS 102 222 leaves to the application."""

    special_information: bytes = _NO_SPECIAL_INFORMATION
    fill_pattern: bytes | None = None
    repeat_pattern: bytes | None = None
    file_details: bytes = _BER_TLV_DETAILS
    maximum_file_size: bytes | None = None

    def encode(self) -> bytes:
        """Return the data object; the fields are in the order of the SEQUENCE, not of their tags."""
        return tlv.encode(
            0xA5,
            der.defaulted(0xC0, self.special_information, _NO_SPECIAL_INFORMATION),
            der.optional(0xC1, self.fill_pattern),
            der.optional(0xC2, self.repeat_pattern),
            der.optional(0x86, self.maximum_file_size),
            der.defaulted(0x84, self.file_details, _BER_TLV_DETAILS),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the value."""
        fields = {tag: item.value for tag, item in tlv.children(value).items()}
        return cls(
            special_information=fields.get(0xC0, _NO_SPECIAL_INFORMATION),
            fill_pattern=fields.get(0xC1),
            repeat_pattern=fields.get(0xC2),
            maximum_file_size=fields.get(0x86),
            file_details=fields.get(0x84, _BER_TLV_DETAILS),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fcp:
    """File control parameters, coded as in TS 102 222; a field that is None is taken from the template.

    ``file_descriptor``: 2 octets, 4 with a record length. ``short_efid``: empty means that there is none.
    ``arr``: the record of EF.ARR with the file's access rules: one octet, or three with that file's identifier.
    """

    file_descriptor: bytes | None = None
    file_id: bytes | None = None
    df_name: bytes | None = None
    life_cycle: bytes = _ACTIVATED
    arr: bytes | None = None
    file_size: bytes | None = None
    pin_status: bytes | None = None
    short_efid: bytes | None = None
    proprietary: ProprietaryInfo | None = None
    link_path: bytes | None = None

    def encode(self, tag: int) -> bytes:
        """Return the data object with the tag of its position."""
        return tlv.encode(
            tag,
            der.optional(0x82, self.file_descriptor),
            der.optional(0x83, self.file_id),
            der.optional(0x84, self.df_name),
            der.defaulted(0x8A, self.life_cycle, _ACTIVATED),
            der.optional(0x8B, self.arr),
            der.optional(0x80, self.file_size),
            der.optional(0xC6, self.pin_status),
            der.optional(0x88, self.short_efid),
            b"" if self.proprietary is None else self.proprietary.encode(),
            der.optional(0xC7, self.link_path),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the value."""
        items = tlv.children(value)
        fields = {tag: item.value for tag, item in items.items()}
        return cls(
            file_descriptor=fields.get(0x82),
            file_id=fields.get(0x83),
            df_name=fields.get(0x84),
            life_cycle=fields.get(0x8A, _ACTIVATED),
            arr=fields.get(0x8B),
            file_size=fields.get(0x80),
            pin_status=fields.get(0xC6),
            short_efid=fields.get(0x88),
            proprietary=ProprietaryInfo.decode(fields[0xA5]) if 0xA5 in fields else None,
            link_path=fields.get(0xC7),
        )


@dataclass(frozen=True, slots=True)
class DoNotCreate:
    """Omit this file of the template."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Skip this number of octets after the end of the previous content."""

    octets: int


@dataclass(frozen=True, slots=True)
class Content:
    """Write these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class SelectPath:
    """Select a directory by identifiers from the MF, an ADF by its temporary identifier; empty is the MF."""

    path: bytes


FileOperation: TypeAlias = DoNotCreate | Fcp | Skip | Content
ManagementOperation: TypeAlias = SelectPath | Fcp | Skip | Content


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """An element that makes files from a template: operations by position in the template."""

    kind: ElementKind
    header: ElementHeader
    template_oid: str
    files: tuple[tuple[int, tuple[FileOperation, ...]], ...]

    def encode(self) -> bytes:
        """Return the element."""
        return encode_element(
            self.kind,
            self.header.encode(),
            tlv.encode(0x81, der.encode_oid(self.template_oid)),
            *(
                tlv.encode(
                    der.context_tag(place + _FIRST_FILE_PLACE, constructed=True),
                    *(_encode_file_operation(operation) for operation in operations),
                )
                for place, operations in self.files
            ),
        )

    @classmethod
    def decode(cls, kind: ElementKind, value: bytes) -> Self:
        """Decode the element's value.

        Raises:
            ProfilePackageError: a field is missing, malformed or out of order.
        """
        items = list(tlv.walk(value))
        if len(items) < _FIRST_FILE_PLACE or items[1].tag != 0x81:
            raise ProfilePackageError(f"element {kind} names no template", element=str(kind))
        header, template, *files = items
        places = [der.place_of(item.tag) - _FIRST_FILE_PLACE for item in files]
        if places != sorted(set(places)) or any(place < 0 for place in places):
            raise ProfilePackageError(f"the files of element {kind} are out of order", element=str(kind))
        return cls(
            kind,
            ElementHeader.decode(header.value),
            der.decode_oid(template.value),
            tuple(
                (place, tuple(_decode_file_operation(item) for item in tlv.walk(file.value)))
                for place, file in zip(places, files, strict=True)
            ),
        )


def _encode_file_operation(operation: FileOperation) -> bytes:
    match operation:
        case DoNotCreate():
            return tlv.encode(0x80)
        case Fcp():
            return operation.encode(0xA1)
        case Skip(octets):
            return tlv.encode(0x82, der.encode_integer(octets))
        case Content(octets):
            return tlv.encode(0x83, octets)


def _decode_file_operation(item: tlv.Tlv) -> FileOperation:
    match item.tag:
        case 0x80:
            return DoNotCreate()
        case 0xA1:
            return Fcp.decode(item.value)
        case 0x82:
            return Skip(der.decode_integer(item.value))
        case 0x83:
            return Content(item.value)
    raise ProfilePackageError(f"a file has no field {item.tag:X}", tag=f"{item.tag:X}")


@dataclass(frozen=True, slots=True)
class GenericFileManagement:
    """An element that makes files without a template; each command is a sequence of operations."""

    header: ElementHeader
    commands: tuple[tuple[ManagementOperation, ...], ...]

    def encode(self) -> bytes:
        """Return the element."""
        return encode_element(
            ElementKind.GENERIC_FILE_MANAGEMENT,
            self.header.encode(),
            tlv.encode(
                0xA1,
                *(
                    tlv.encode(0x30, *(_encode_management_operation(operation) for operation in command))
                    for command in self.commands
                ),
            ),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        fields = tlv.children(value)
        return cls(
            ElementHeader.decode(der.required(fields, 0xA0, "gfm-header")),
            tuple(
                tuple(_decode_management_operation(item) for item in tlv.walk(command.value))
                for command in tlv.walk(der.required(fields, 0xA1, "fileManagementCMD"))
            ),
        )


# Explicit tags in this CHOICE disable automatic tagging, so the offset is a plain INTEGER.
def _encode_management_operation(operation: ManagementOperation) -> bytes:
    match operation:
        case SelectPath(path):
            return tlv.encode(0x80, path)
        case Fcp():
            return operation.encode(_CREATE_FCP)
        case Skip(octets):
            return tlv.encode(0x02, der.encode_integer(octets))
        case Content(octets):
            return tlv.encode(0x81, octets)


def _decode_management_operation(item: tlv.Tlv) -> ManagementOperation:
    match item.tag:
        case 0x80:
            return SelectPath(item.value)
        case 0x62:
            return Fcp.decode(item.value)
        case 0x02:
            return Skip(der.decode_integer(item.value))
        case 0x81:
            return Content(item.value)
    raise ProfilePackageError(f"file management has no field {item.tag:X}", tag=f"{item.tag:X}")
