"""Templates of Credit-Control-Requests: captured messages with placeholders for the values that differ.

The three messages were captured from an Open5GS SMF (`tests/data/gy` has more, and their origin). All values have a
fixed length, so a message is made by filling its placeholders, which takes about a microsecond.
"""

from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from operator import itemgetter
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from kswifi.diameter import dictionary as d
from kswifi.diameter.avp import Grouped
from kswifi.diameter.constants import SubscriptionIdType
from kswifi.diameter.dictionary import DICTIONARY
from kswifi.diameter.header import HEADER_OCTETS
from kswifi.diameter.messages.units import SubscriptionId
from kswifi.diameter.reader import avps_within

PEER: Final = "smf.localdomain"
REALM: Final = "localdomain"
SERVER: Final = "ocs.localdomain"
IMSI_PREFIX: Final = b"00101"
UPDATES: Final = 8
"""CCR-Updates between the INITIAL and the TERMINATION of a ChargingSession."""

_SAMPLE_IMSI: Final = b"001010000000001"
_SAMPLE_NUMBER: Final = b"1795405056"
"""The part of the captured Session-Id that is replaced by ten digits, different in each ChargingSession."""
_U32: Final = Struct("!I").pack
_U64: Final = Struct("!Q").pack
_IDENTIFIERS: Final = Struct("!II").pack
_DOWNLINK: Final = _U64(40_000)
_NTP_OF_UNIX_EPOCH: Final = 2_208_988_800


SessionParts: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes]
"""The encoded values that are the same in all messages of a ChargingSession: the first five of ``_PARTS``."""
_PARTS: Final = (
    "session", "imsi", "charging_id", "pdp_address", "cell",
    "identifiers", "number", "instant", "input", "output",
)  # fmt: skip


def session_parts(number: int, subscriber: int) -> SessionParts:
    """Return the values of the ChargingSession with a number, of the subscriber with another."""
    return (
        b"%010d" % number,
        imsi_of(subscriber),
        _U32(number & 0xFFFFFFFF),
        b"\x0a" + _U32(subscriber)[1:],
        _U32(subscriber % 50_000 << 8 | 1),
    )


def imsi_of(subscriber: int) -> bytes:
    """Return the IMSI of a subscriber, fifteen digits in ASCII."""
    return IMSI_PREFIX + b"%010d" % subscriber


class Template:
    """One kind of message, with placeholders for the values that differ."""

    __slots__ = ("_in_order", "_pattern")

    def __init__(self, pattern: bytes, places: tuple[str, ...]) -> None:
        self._pattern = pattern
        self._in_order = itemgetter(*map(_PARTS.index, places))

    def fill(self, session: SessionParts, slot: int, number: int, instant: int, used_octets: int) -> bytes:
        """Return the message.

        Args:
            session: the values of the ChargingSession.
            slot: the Hop-by-Hop Identifier, which the answer repeats.
            number: the CC-Request-Number.
            instant: the Event-Timestamp, in Unix seconds.
            used_octets: reported uplink usage; a fixed downlink usage is added.
        """
        parts = (
            *session,
            _IDENTIFIERS(slot, slot),
            _U32(number),
            _U32(instant + _NTP_OF_UNIX_EPOCH & 0xFFFFFFFF),
            _U64(used_octets),
            _DOWNLINK,
        )
        filled: bytes = self._pattern % self._in_order(parts)
        return filled


class Templates(NamedTuple):
    """The templates of each type of request: the captured message first, then variants of its AVPs' order."""

    initial: tuple[Template, ...]
    update: tuple[Template, ...]
    termination: tuple[Template, ...]


def load_templates() -> Templates:
    """Read the captured messages and make the variants of each."""
    return Templates(*(_kinds(name) for name in ("initial", "update", "termination")))


def _kinds(name: str) -> tuple[Template, ...]:
    message = bytes.fromhex(files(__package__).joinpath(f"{name}.hex").read_text())
    ends = [HEADER_OCTETS, *(behind for _, _, _, behind in avps_within(message, HEADER_OCTETS, len(message)))]
    avps = [message[start:behind] for start, behind in pairwise(ends)]
    session_id, others = avps[0], avps[1:]
    e164 = SubscriptionId(SubscriptionIdType.E164, "2348030000001").encode()
    state = d.ORIGIN_STATE_ID.encode(1_795_405_000)
    name_ = d.USER_NAME.encode("internet-user@localdomain")
    return tuple(
        _cut(message[:HEADER_OCTETS], kind)
        for kind in (
            avps,
            [session_id, *others[::-1]],
            [session_id, *others[:5], e164, *others[5:], state],
            [session_id, name_, *others[3:], *others[:3]],
        )
    )


def _cut(header: bytes, avps: list[bytes]) -> Template:
    body = b"".join(avps)
    message = header[:1] + (HEADER_OCTETS + len(body)).to_bytes(3, "big") + header[4:] + body
    places = sorted([(12, 20, "identifiers"), *_places(message, HEADER_OCTETS, len(message))])
    pattern, at = b"", 0
    for start, stop, _ in places:
        pattern += message[at:start].replace(b"%", b"%%") + b"%b"
        at = stop
    return Template(pattern + message[at:].replace(b"%", b"%%"), tuple(name for _, _, name in places))


_NAMES: Final = {
    d.CC_REQUEST_NUMBER.key: "number",
    d.EVENT_TIMESTAMP.key: "instant",
    d.CC_INPUT_OCTETS.key: "input",
    d.CC_OUTPUT_OCTETS.key: "output",
    d.TGPP_CHARGING_ID.key: "charging_id",
}


def _places(message: bytes, offset: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield the places of the values that differ between messages: start, stop, and the name of the value."""
    for key, value, stop, _ in avps_within(message, offset, end):
        if key == d.SESSION_ID.key:
            start = message.index(_SAMPLE_NUMBER, value, stop)
            yield start, start + len(_SAMPLE_NUMBER), "session"
        elif key == d.SUBSCRIPTION_ID_DATA.key and message[value:stop] == _SAMPLE_IMSI:
            yield value, stop, "imsi"
        elif key == d.PDP_ADDRESS.key:
            yield stop - 4, stop, "pdp_address"
        elif key == d.TGPP_USER_LOCATION_INFO.key:
            yield stop - 4, stop, "cell"
        elif key in _NAMES:
            yield value, stop, _NAMES[key]
        elif isinstance(DICTIONARY.get(key), Grouped):
            yield from _places(message, value, stop)
