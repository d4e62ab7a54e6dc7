"""Parse command APDUs; status words of responses (ISO/IEC 7816-4, 5; TS 102 221, 10)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CHAINING: Final = 0x10
GSM_CLASS: Final = 0xA0
_HEADER_OCTETS: Final = 4


class Status(IntEnum):
    """The card's status words (TS 102 221, 10.2.1; TS 31.102, 7.3); 61xx, 63Cx and 6Cxx are computed."""

    OK = 0x9000
    MORE_DATA_AVAILABLE = 0x62F1
    MORE_DATA_EXPECTED = 0x63F1
    MEMORY_PROBLEM = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    CHAINING_NOT_SUPPORTED = 0x6884
    INCOMPATIBLE_WITH_FILE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    PIN_BLOCKED = 0x6983
    REFERENCED_DATA_INVALIDATED = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_EF_SELECTED = 0x6986
    INCORRECT_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NOT_ENOUGH_MEMORY = 0x6A84
    INCORRECT_P1_P2 = 0x6A86
    REFERENCED_DATA_NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    INCORRECT_MAC = 0x9862
    SECURITY_CONTEXT_NOT_SUPPORTED = 0x9864


class StatusError(Exception):
    """Ends a command with a status word. The card catches it; callers of the card never see it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU: ``le`` is None without an Le octet, 256 for Le 00."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None

    @property
    def chained(self) -> bool:
        """Tell whether more parts of this command follow (ISO/IEC 7816-4, 5.3.3: bit 5 of the class octet)."""
        return bool(self.cla & CHAINING)

    @property
    def channel(self) -> int:
        """Return the logical channel that the class octet names (TS 102 221, 10.1.1)."""
        return self.cla & 0x03

    @property
    def proprietary(self) -> bool:
        """Tell whether the class is 8X (TS 102 221 and GlobalPlatform) rather than 0X (ISO)."""
        return bool(self.cla & 0x80)

    @property
    def gsm(self) -> bool:
        """Tell whether the class is that of a GSM SIM (TS 51.011, 9.2)."""
        return self.cla == GSM_CLASS


def parse_command(octets: bytes) -> Command:
    """Parse a short command APDU (ISO/IEC 7816-3, 12.1.3); the card does not support extended lengths.

    Raises:
        StatusError: the length fields are wrong, or the class octet asks for a feature that the card lacks.
    """
    if len(octets) < _HEADER_OCTETS:
        raise StatusError(Status.WRONG_LENGTH)
    cla, ins, p1, p2 = octets[:_HEADER_OCTETS]
    body = octets[_HEADER_OCTETS:]
    _check_class(cla)
    data, le = b"", None
    if len(body) == 1:
        le = body[0] or 256
    elif body:
        length = body[0]
        data, rest = body[1 : 1 + length], body[1 + length :]
        if length == 0 or len(data) != length or len(rest) > 1:
            raise StatusError(Status.WRONG_LENGTH)
        le = (rest[0] or 256) if rest else None
    return Command(cla, ins, p1, p2, data, le)


def _check_class(cla: int) -> None:
    if cla & 0x6C == 0 or cla == GSM_CLASS:
        return
    if cla & 0x40:
        raise StatusError(Status.CHANNEL_NOT_SUPPORTED if cla != 0xFF else Status.CLA_NOT_SUPPORTED)
    if cla & 0x60:
        raise StatusError(Status.CLA_NOT_SUPPORTED)
    raise StatusError(Status.SECURE_MESSAGING_NOT_SUPPORTED)
