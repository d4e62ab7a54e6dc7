"""The access rules of our own profiles: the records of their EF.ARR (TS 102 221, 9.2; ISO/IEC 7816-4).

The templates refer to these records by number, so every profile must have them in this order.
"""

from typing import Final

from kswifi.rsp import tlv

PIN_1: Final = 0x01
ADM_1: Final = 0x0A
PIN_2: Final = 0x81

_READ: Final = 0x01
_UPDATE: Final = 0x02
_OTHER_EF: Final = 0x58  # delete, activate, deactivate
_DIRECTORY: Final = 0x5C  # delete, activate, deactivate, create
_ALWAYS: Final = tlv.encode(0x90)
_NEVER: Final = tlv.encode(0x97)


def _key(reference: int) -> bytes:
    return tlv.encode(0xA4, tlv.encode(0x83, bytes([reference])), tlv.encode(0x95, b"\x08"))


_PIN: Final = _key(PIN_1)
_ADM: Final = _key(ADM_1)


def _rule(read: bytes, update: bytes) -> bytes:
    return b"".join(
        (
            tlv.encode(0x80, bytes([_READ])),
            read,
            tlv.encode(0x80, bytes([_UPDATE])),
            update,
            tlv.encode(0x80, bytes([_OTHER_EF])),
            _ADM,
        )
    )


ACCESS_RULES: Final = (
    _rule(_ALWAYS, _PIN),  # 1: EF.PL
    _rule(_PIN, _ADM),  # 2: EF.IMSI and most others
    _rule(_ADM, _ADM),  # 3
    _rule(_NEVER, _NEVER),  # 4: not used by our files
    _rule(_PIN, _PIN),  # 5: locations, keys
    _rule(_NEVER, _NEVER),  # 6
    _rule(_NEVER, _NEVER),  # 7
    _rule(_PIN, _key(PIN_2)),  # 8: EF.EST
    _rule(_NEVER, _NEVER),  # 9
    _rule(_ALWAYS, _ADM),  # 10: EF.DIR, EF.ARR, EF.SPN, and EF.SESSIONS
    _rule(_ALWAYS, _NEVER),  # 11: EF.ICCID
    _rule(_NEVER, _NEVER),  # 12
    _rule(_NEVER, _NEVER),  # 13
    tlv.encode(0x80, bytes([_DIRECTORY])) + _ADM,  # 14: directories
)
READ_ALWAYS_UPDATE_ADM: Final = 10
DIRECTORY_RULE: Final = 14
ACCESS_RULE_OCTETS: Final = max(len(rule) for rule in ACCESS_RULES)
