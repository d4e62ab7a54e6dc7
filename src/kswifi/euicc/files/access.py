"""Access rules in expanded format: the records of EF.ARR (TS 102 221, 9.2; ISO/IEC 7816-4, 9.3.3).

A rule is a sequence of access mode objects (tag 80: a bit for each kind of access), each followed by its
security condition. An access that no mode object names is forbidden, and so is any access by a malformed
rule.
"""

from collections.abc import Callable
from typing import Final

from kswifi.rsp import tlv

READ: Final = 0x01
UPDATE: Final = 0x02

_ALWAYS: Final = 0x90
_USER_AUTHENTICATION: Final = 0xA4
_ANY_OF: Final = 0xA0
_ALL_OF: Final = 0xAF
_PADDING: Final = 0xFF


def allows(rule: bytes, mode: int, verified: Callable[[int], bool]) -> bool:
    """Tell whether a rule allows an access mode; ``verified`` tells whether a key reference is satisfied."""
    try:
        applies = False
        for item in _items(rule):
            if 0x80 <= item.tag <= 0x8F:
                applies = item.tag == 0x80 and len(item.value) == 1 and bool(item.value[0] & mode)
            elif applies:
                return _satisfied(item, verified)
    except tlv.TlvError:
        return False
    return False


def _items(rule: bytes) -> list[tlv.Tlv]:
    items = []
    offset = 0
    while offset < len(rule) and rule[offset] != _PADDING:
        item, offset = tlv.read(rule, offset)
        items.append(item)
    return items


def _satisfied(condition: tlv.Tlv, verified: Callable[[int], bool]) -> bool:
    if condition.tag == _ALWAYS:
        return True
    if condition.tag == _USER_AUTHENTICATION:
        reference = tlv.children(condition.value).get(0x83)
        return reference is not None and len(reference.value) == 1 and verified(reference.value[0])
    if condition.tag in (_ANY_OF, _ALL_OF):
        results = [_satisfied(part, verified) for part in tlv.walk(condition.value)]
        return bool(results) and (any(results) if condition.tag == _ANY_OF else all(results))
    return False
