"""GET IDENTITY: the USIM calculates its SUCI, which only the home network can decrypt (TS 31.102, 7.5)."""

from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.state import Directory, ElementaryFile
from kswifi.euicc.usim.security import PIN_1
from kswifi.euicc.usim.suci import encode_suci, read_calculation_info
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Imsi
from kswifi.rsp import tlv

_SUCI_CONTEXT: Final = 0x01
_TAG_SUCI: Final = 0xA1
_USIM_AID_PREFIX: Final = bytes.fromhex("A0000000871002")
_DF_5GS: Final = bytes.fromhex("5FC0")
_DF_SAIP: Final = bytes.fromhex("5FD0")
_EF_UST: Final = bytes.fromhex("6F38")
_EF_IMSI: Final = bytes.fromhex("6F07")
_EF_AD: Final = bytes.fromhex("6FAD")
_EF_ROUTING_INDICATOR: Final = bytes.fromhex("4F0A")
_EF_SUCI_CALCULATION: Final = bytes.fromhex("4F01")
_SERVICES: Final = (124, 125)  # identifier privacy; SUCI calculation by the USIM (TS 31.102, 4.2.8)
_MNC_DIGITS_OCTET: Final = 3
_NO_ROUTING_INDICATOR: Final = bytes.fromhex("F0FF")  # the indicator 0 (TS 23.003, 2.2B)


def get_identity(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Return the SUCI, each time with a new one-time key.

    The files for the calculation are in DF.SAIP, where the phone cannot read them. Without them, the null
    scheme is used, which the home network has then chosen (TS 33.501, 6.12.2).
    """
    if command.p1 or command.p2 != _SUCI_CONTEXT:
        raise StatusError(Status.INCORRECT_P1_P2)
    if command.data:
        raise StatusError(Status.WRONG_LENGTH)
    usim = channel.application()
    if usim is None or not (usim.aid or b"").startswith(_USIM_AID_PREFIX) or not _offers(usim):
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if not session.is_satisfied(channel, PIN_1):
        raise StatusError(Status.SECURITY_NOT_SATISFIED)
    try:
        info = read_calculation_info(_content(_below(usim, _DF_SAIP, _EF_SUCI_CALCULATION)))
        imsi = Imsi.from_bytes(_content(usim.file(_EF_IMSI)) or b"\x00")
        routing = _content(_below(usim, _DF_5GS, _EF_ROUTING_INDICATOR))[:2] or _NO_ROUTING_INDICATOR
        return tlv.encode(_TAG_SUCI, encode_suci(str(imsi), _mnc_digits(usim), routing, info))
    except (KswifiError, ValueError):  # a malformed file, or an invalid public key of the home network
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED) from None


def _offers(usim: Directory) -> bool:
    table = _content(usim.file(_EF_UST))
    octets = (((service - 1) // 8, (service - 1) % 8) for service in _SERVICES)
    return all(place < len(table) and bool(table[place] >> bit & 1) for place, bit in octets)


def _mnc_digits(usim: Directory) -> int:
    """Return the number of digits of the MNC (EF.AD: TS 31.102, 4.2.18)."""
    octets = _content(usim.file(_EF_AD))
    return 3 if octets[_MNC_DIGITS_OCTET : _MNC_DIGITS_OCTET + 1] == b"\x03" else 2


def _below(usim: Directory, directory_id: bytes, file_id: bytes) -> ElementaryFile | None:
    found = next((each for each in usim.directories if each.file_id == directory_id), None)
    return None if found is None else found.file(file_id)


def _content(file: ElementaryFile | None) -> bytes:
    return b"" if file is None else file.content
