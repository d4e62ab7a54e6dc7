"""EUICCResponse: the card's result for the elements of a profile package (SAIP, PEDefinitions).

The numbers are those of the module PEDefinitions, version 3.3.1.
"""

from enum import IntEnum
from typing import Final

from kswifi.rsp import tlv
from kswifi.rsp.fields import SEQUENCE, Fields, encode_integer
from kswifi.rsp.saip import der

_STATUS_LIST: Final = 0xA0
_STATUS: Final = 0x80
_IDENTIFICATION: Final = 0x81
_ABORTED: Final = tlv.encode(0x81)


class PeStatus(IntEnum):
    """PEStatus.status: the result for a profile element."""

    OK = 0
    PE_NOT_SUPPORTED = 1
    MEMORY_FAILURE = 2
    BAD_VALUES = 3
    NOT_ENOUGH_MEMORY = 4
    INVALID_REQUEST_FORMAT = 5
    INVALID_PARAMETER = 6
    RUNTIME_NOT_SUPPORTED = 7
    LIB_NOT_SUPPORTED = 8
    TEMPLATE_NOT_SUPPORTED = 9
    FEATURE_NOT_SUPPORTED = 10
    PIN_CODE_MISSING = 11
    UNSUPPORTED_PROFILE_VERSION = 31


def encode_euicc_response(status: PeStatus, element: int | None = None) -> bytes:
    """Encode a response with one status; any status but OK means that the installation was aborted.

    ``element`` is the identification number of the faulty profile element, None for the profile header.
    """
    number = b"" if element is None else tlv.encode(_IDENTIFICATION, der.encode_integer(element))
    entry = tlv.encode(SEQUENCE, encode_integer(_STATUS, status), number)
    aborted = b"" if status is PeStatus.OK else _ABORTED
    return tlv.encode(SEQUENCE, tlv.encode(_STATUS_LIST, entry), aborted)


def decode_euicc_response(octets: bytes) -> list[tuple[int, int | None]]:
    """Decode a response; return the status and the element's number of each entry.

    Raises:
        RspDecodeError: it is not an EUICCResponse.
    """
    entries = Fields.of(octets, SEQUENCE, "EUICCResponse").inside(_STATUS_LIST)
    fields = (Fields(item.value, "PEStatus") for item in entries.every(SEQUENCE))
    return [(each.integer(_STATUS), each.optional_integer(_IDENTIFICATION)) for each in fields]
