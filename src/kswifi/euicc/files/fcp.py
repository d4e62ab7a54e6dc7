"""FCP templates: the description of a file that SELECT returns (TS 102 221, 11.1.1.3)."""

from typing import Final

from kswifi.euicc.state import Directory, ElementaryFile, Pin
from kswifi.rsp import tlv

MF_ID: Final = bytes.fromhex("3F00")
CURRENT_ADF_ID: Final = bytes.fromhex("7FFF")
_DATA_CODING: Final = 0x21
_ACTIVATED: Final = tlv.encode(0x8A, b"\x05")
_DER_OBJECTS: Final = tlv.encode(0x84, b"\x01")
_UICC_CHARACTERISTICS: Final = tlv.encode(0xA5, tlv.encode(0x80, b"\x71"))


def describe_file(file: ElementaryFile, shown: ElementaryFile) -> bytes:
    """Return the FCP template of an elementary file; ``shown`` has the content: the file or its link target."""
    structure = 0x79 if shown.ber_tlv else 0x46 if shown.cyclic else 0x42 if shown.record_octets else 0x41
    descriptor = bytes([structure, _DATA_CODING])
    if shown.record_octets:
        descriptor += shown.record_octets.to_bytes(2, "big") + bytes([shown.records])
    return tlv.encode(
        0x62,
        tlv.encode(0x82, descriptor),
        tlv.encode(0x83, file.file_id),
        _limits(shown) if shown.ber_tlv else b"",
        _ACTIVATED,
        tlv.encode(0x8B, file.arr_file + bytes([file.arr_record])),
        tlv.encode(0x80, encode_size(len(shown.content))),
        tlv.encode(0x88, b"" if file.sfi is None else bytes([file.sfi << 3])),
    )


def _limits(file: ElementaryFile) -> bytes:
    """Return the further sizes of a BER-TLV file: DER coding, reserved, maximum (11.1.1.4.6.6 to 8)."""
    maximum = tlv.encode(0x86, encode_size(file.maximum_octets)) if file.maximum_octets else b""
    return tlv.encode(0xA5, _DER_OBJECTS, tlv.encode(0x85, encode_size(file.reserved_octets)), maximum)


def encode_size(octets: int) -> bytes:
    """Return a size in two octets, or in more if needed (TS 102 221, 11.1.1.4.1)."""
    return octets.to_bytes(max(2, (octets.bit_length() + 7) // 8), "big")


def describe_directory(directory: Directory, pins: dict[int, Pin]) -> bytes:
    """Return the FCP template of a directory; ``pins`` are the PINs that can be verified there."""
    references = [reference for reference in directory.pin_status if reference in pins]
    enabled = 0
    for reference in references:
        enabled = enabled << 1 | int(pins[reference].enabled)
    enabled <<= 8 - len(references) if len(references) <= 8 else 0
    status = tlv.encode(0x90, bytes([enabled & 0xFF]))
    return tlv.encode(
        0x62,
        tlv.encode(0x82, bytes([0x78, _DATA_CODING])),
        tlv.encode(0x83, CURRENT_ADF_ID if directory.aid is not None else directory.file_id),
        b"" if directory.aid is None else tlv.encode(0x84, directory.aid),
        _UICC_CHARACTERISTICS,
        _ACTIVATED,
        tlv.encode(0x8B, directory.arr_file + bytes([directory.arr_record])),
        tlv.encode(0xC6, status, *(tlv.encode(0x83, bytes([reference])) for reference in references)),
    )
