"""Build Credit-Control-Answers from templates: the first of a kind is encoded, later ones only fill in its values.

Answers differ in identifiers, Session-Id, request number and amounts, and in little else. A template is made from a
message of the encoder, so only the encoder defines how an answer looks.
"""

from struct import Struct
from typing import Any, Final

from msgspec.structs import astuple

from kswifi.charging.answers import ChargingAnswer
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import CcRequestType, ResultCode
from kswifi.diameter.header import HEADER_OCTETS
from kswifi.diameter.messages.credit_control import CreditControlAnswer, CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl
from kswifi.diameter.reader import avps_within
from kswifi.servers.diameter.application import NodeIdentity

MAX_TEMPLATES: Final = 1_024
"""Beyond it, all templates are dropped; a network has a few dozen kinds of answers."""

_IDENTIFIERS_AT: Final = 12
_IDENTIFIERS: Final = Struct("!II").pack
_U32: Final = Struct("!I").pack
_U64: Final = Struct("!Q").pack
_GRANTED: Final = ServiceCreditControl.__struct_fields__.index("granted")
_THRESHOLD: Final = ServiceCreditControl.__struct_fields__.index("threshold_octets")
_FILLED: Final = frozenset(
    {d.SESSION_ID.key, d.CC_REQUEST_NUMBER.key, d.CC_TOTAL_OCTETS.key, d.VOLUME_QUOTA_THRESHOLD.key}
)
_GROUPS: Final = frozenset({d.MULTIPLE_SERVICES_CREDIT_CONTROL.key, d.GRANTED_SERVICE_UNIT.key})


class GyAnswers:
    """Encodes the answers of one node."""

    def __init__(self, identity: NodeIdentity, policy: ChargingPolicy) -> None:
        self._identity = identity
        self._policy = policy
        self._templates: dict[tuple[Any, ...], bytes] = {}

    def write(self, request: CreditControlRequest, answer: ChargingAnswer) -> bytes:
        """Encode the answer to a request."""
        services = answer.services
        if len(services) != 1 or request.proxy_infos or not _is_plain(answer):
            return self._encode(request, answer)
        kind = list(astuple(services[0]))
        session_id = request.session_id.encode()
        filled = [
            _IDENTIFIERS(request.hop_by_hop, request.end_to_end),
            session_id,
            _U32(request.cc_request_number),
        ]
        granted, threshold = kind[_GRANTED], kind[_THRESHOLD]
        if granted is not None and granted.cc_total_octets is not None:
            kind[_GRANTED] = (
                granted.cc_time, granted.cc_input_octets, granted.cc_output_octets, granted.reporting_reason
            )  # fmt: skip
            filled.append(_U64(granted.cc_total_octets))
        if threshold is not None:
            kind[_THRESHOLD] = True
            filled.append(_U32(threshold))
        key = (request.cc_request_type, request.proxiable, len(session_id), *kind)
        pattern = self._templates.get(key)
        if pattern is None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            pattern = self._templates[key] = _cut(self._encode(request, answer))
        message: bytes = pattern % tuple(filled)
        return message

    def pattern(self, request: CreditControlRequest, answer: ChargingAnswer) -> bytes:
        """Return the template of such a plain answer with one group, a pattern for ``%``.

        It takes the two identifiers as octets, the Session-Id, the request number, and as far as the answer has
        them the granted octets and the threshold.
        """
        return _cut(self._encode(request, answer))

    def _encode(self, request: CreditControlRequest, answer: ChargingAnswer) -> bytes:
        policy = self._policy
        opens = request.cc_request_type is CcRequestType.INITIAL and answer.result_code == ResultCode.SUCCESS
        return CreditControlAnswer(
            session_id=request.session_id,
            result_code=answer.result_code,
            origin_host=self._identity.origin_host,
            origin_realm=self._identity.origin_realm,
            cc_request_type=request.cc_request_type,
            cc_request_number=request.cc_request_number,
            services=answer.services,
            direct=answer.direct,
            error_message=answer.error_message,
            failed_avp=answer.failed_avp,
            # RFC 8506, 8.14 and 8.15: the server's value has priority over the client's own setting.
            failure_handling=policy.failure_handling if opens else None,
            direct_debiting_failure_handling=policy.direct_debiting_failure_handling if opens else None,
            check_balance_result=answer.check_balance_result,
            cost_kobo=answer.cost_kobo,
            proxy_infos=request.proxy_infos,
            hop_by_hop=request.hop_by_hop,
            end_to_end=request.end_to_end,
            proxiable=request.proxiable,
        ).encode()


def _is_plain(answer: ChargingAnswer) -> bool:
    """Return whether the answer consists of its groups only."""
    return (
        answer.result_code == ResultCode.SUCCESS
        and answer.direct is None
        and answer.error_message is None
        and answer.check_balance_result is None
        and answer.cost_kobo is None
        and not answer.failed_avp
    )


def _cut(message: bytes) -> bytes:
    """Return the message as a pattern for ``%``, with placeholders for the values that differ."""
    pattern, at = b"", 0
    for start, stop in [(_IDENTIFIERS_AT, HEADER_OCTETS), *_places(message, HEADER_OCTETS, len(message))]:
        pattern += message[at:start].replace(b"%", b"%%") + b"%b"
        at = stop
    return pattern + message[at:].replace(b"%", b"%%")


def _places(message: bytes, offset: int, end: int) -> list[tuple[int, int]]:
    found = []
    for key, start, stop, _ in avps_within(message, offset, end):
        if key in _FILLED:
            found.append((start, stop))
        elif key in _GROUPS:
            found += _places(message, start, stop)
    return found
