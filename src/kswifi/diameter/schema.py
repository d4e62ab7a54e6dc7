"""Tables of the AVPs that a Credit-Control-Request is read from; learnt layouts are made from them.

``credit_control`` and ``units`` decode a message; these tables describe the same for the fields that differ from
message to message. A test compares the two.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from kswifi.diameter import dictionary as d
from kswifi.diameter.avp import Address, Avp, OctetString, Time, Unsigned32, Unsigned64, Utf8String, unix_seconds_of
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, ServiceUnit, SubscriptionId


@dataclass(frozen=True, slots=True)
class Leaf:
    """How to unpack a value: the ``struct`` format ("" for raw octets), and the conversion afterwards.

    The first ``fixed`` octets decide how the value is read, and never differ within a layout.
    """

    format: str
    convert: Callable[[Any], Any] | None = None
    fixed: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record, and the AVP it is read from; with ``many`` its values form a tuple.

    Either ``leaf`` or ``group`` describes the value. ``through`` is an AVP in between that contains the group.
    """

    name: str
    avp: Avp[Any]
    leaf: Leaf | None = None
    group: "Group | None" = None
    through: Avp[Any] | None = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A record and its fields. ``seen`` has the keys of all AVPs that decoding looks at; the others are ignored."""

    record: type[msgspec.Struct]
    fields: tuple[Field, ...]
    also_seen: tuple[Avp[Any], ...] = ()
    by_key: dict[int, Field] = field(init=False)
    seen: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        """Index the fields."""
        object.__setattr__(self, "by_key", {it.avp.key: it for it in self.fields})
        object.__setattr__(self, "seen", frozenset(it.key for it in self.also_seen) | self.by_key.keys())


def _address(octets: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(octets) == 6 else socket.AF_INET6, octets[2:])


_TEXT: Final = Leaf("", bytes.decode)
_OCTETS: Final = Leaf("")
_NUMBER: Final = Leaf("I")
_INSTANT: Final = Leaf("I", unix_seconds_of)


def _leaf(avp: Avp[Any]) -> Leaf | None:
    """Return how to unpack values of an AVP; None for enumerated values, which each need their own layout."""
    match avp:
        case Utf8String():
            return _TEXT
        case Unsigned32():
            return _NUMBER
        case Unsigned64():
            return Leaf("Q")
        case Time():
            return _INSTANT
        case Address():
            return Leaf("", _address, fixed=2)
        case OctetString():
            return _OCTETS
    return None


def _field(name: str, avp: Avp[Any], *, many: bool = False) -> Field:
    return Field(name, avp, _leaf(avp), many=many)


_SUBSCRIPTION: Final = Group(
    SubscriptionId, (_field("type", d.SUBSCRIPTION_ID_TYPE), _field("data", d.SUBSCRIPTION_ID_DATA))
)

_UNIT: Final = Group(
    ServiceUnit,
    (
        _field("cc_total_octets", d.CC_TOTAL_OCTETS),
        _field("cc_input_octets", d.CC_INPUT_OCTETS),
        _field("cc_output_octets", d.CC_OUTPUT_OCTETS),
        _field("cc_time", d.CC_TIME),
        _field("reporting_reason", d.TGPP_REPORTING_REASON),
        _field("cc_service_specific_units", d.CC_SERVICE_SPECIFIC_UNITS),
        _field("cc_money", d.CC_MONEY),
    ),
)

_OF_ANSWERS: Final = (
    d.GRANTED_SERVICE_UNIT,
    d.FINAL_UNIT_INDICATION,
    d.RESULT_CODE,
    d.QUOTA_HOLDING_TIME,
    d.VOLUME_QUOTA_THRESHOLD,
)

_SERVICE: Final = Group(
    ServiceCreditControl,
    (
        _field("rating_group", d.RATING_GROUP),
        _field("service_identifiers", d.SERVICE_IDENTIFIER, many=True),
        Field("requested", d.REQUESTED_SERVICE_UNIT, group=_UNIT),
        Field("used", d.USED_SERVICE_UNIT, group=_UNIT, many=True),
        _field("reporting_reason", d.TGPP_REPORTING_REASON),
        _field("validity_seconds", d.VALIDITY_TIME),
    ),
    _OF_ANSWERS,
)

_PS_INFORMATION: Final = Group(
    PsInformation,
    (
        Field("charging_id", d.TGPP_CHARGING_ID, _NUMBER),
        _field("pdp_addresses", d.PDP_ADDRESS, many=True),
        _field("sgsn_addresses", d.SGSN_ADDRESS, many=True),
        _field("ggsn_addresses", d.GGSN_ADDRESS, many=True),
        _field("called_station_id", d.CALLED_STATION_ID),
        _field("sgsn_mcc_mnc", d.TGPP_SGSN_MCC_MNC),
        _field("user_location_info", d.TGPP_USER_LOCATION_INFO),
        Field("rat_type", d.TGPP_RAT_TYPE, Leaf("B")),
        _field("pdp_prefix_length", d.PDP_ADDRESS_PREFIX_LENGTH),
    ),
)

REQUEST: Final = Group(
    CreditControlRequest,
    (
        _field("session_id", d.SESSION_ID),
        _field("origin_host", d.ORIGIN_HOST),
        _field("origin_realm", d.ORIGIN_REALM),
        _field("destination_realm", d.DESTINATION_REALM),
        _field("cc_request_type", d.CC_REQUEST_TYPE),
        _field("cc_request_number", d.CC_REQUEST_NUMBER),
        _field("destination_host", d.DESTINATION_HOST),
        _field("service_context_id", d.SERVICE_CONTEXT_ID),
        _field("event_timestamp", d.EVENT_TIMESTAMP),
        Field("subscription_ids", d.SUBSCRIPTION_ID, group=_SUBSCRIPTION, many=True),
        _field("requested_action", d.REQUESTED_ACTION),
        _field("termination_cause", d.TERMINATION_CAUSE),
        _field("multiple_services_indicator", d.MULTIPLE_SERVICES_INDICATOR),
        Field("services", d.MULTIPLE_SERVICES_CREDIT_CONTROL, group=_SERVICE, many=True),
        Field("ps_information", d.SERVICE_INFORMATION, group=_PS_INFORMATION, through=d.PS_INFORMATION),
        _field("origin_state_id", d.ORIGIN_STATE_ID),
        _field("proxy_infos", d.PROXY_INFO, many=True),
    ),
    # Auth-Application-Id has only one value. Units in the message itself are no field here, so a layout fixes
    # them.
    (d.AUTH_APPLICATION_ID, *(it.avp for it in _SERVICE.fields), *_OF_ANSWERS),
)
"""The AVPs of the whole message; the header is not part of it."""
