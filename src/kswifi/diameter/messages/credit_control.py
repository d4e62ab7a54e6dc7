"""Credit-Control-Request and Credit-Control-Answer (RFC 8506, 3; TS 32.299, 6.4).

A client opens a session with CC-Request-Type INITIAL, reports usage and asks anew with UPDATE, and ends it with
TERMINATION; EVENT is a single debit or question without a session. CC-Request-Number counts the requests of a
session.
"""

from typing import Final, Self

import msgspec

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import (
    APPLICATION_CREDIT_CONTROL,
    NAIRA,
    SERVICE_CONTEXT_PS,
    CcFailureHandling,
    CcRequestType,
    CheckBalanceResult,
    Command,
    DirectDebitingFailureHandling,
    RequestedAction,
    SubscriptionIdType,
)
from kswifi.diameter.header import (
    FLAG_ERROR,
    FLAG_PROXIABLE,
    FLAG_REQUEST,
    FLAG_RETRANSMITTED,
    Header,
    decode_header,
    encode_message,
)
from kswifi.diameter.messages.base import need_session_id
from kswifi.diameter.messages.units import PsInformation, ServiceCreditControl, SubscriptionId
from kswifi.diameter.reader import read_avps, read_message

_KOBO_EXPONENT: Final = -2
_MOST_DIGITS: Final = 18


class CreditControlRequest(msgspec.Struct, frozen=True, gc=False):
    """CCR (RFC 8506, 3.1).

    ``direct`` holds the units of a client that puts them into the message itself instead of a
    Multiple-Services-Credit-Control. ``proxy_infos`` are copied into the answer unchanged (RFC 6733, 6.2).
    """

    session_id: str
    origin_host: str
    origin_realm: str
    destination_realm: str
    cc_request_type: CcRequestType
    cc_request_number: int
    destination_host: str | None = None
    service_context_id: str = SERVICE_CONTEXT_PS
    event_timestamp: int | None = None
    subscription_ids: tuple[SubscriptionId, ...] = ()
    requested_action: RequestedAction | None = None
    termination_cause: int | None = None
    multiple_services_indicator: int | None = None
    services: tuple[ServiceCreditControl, ...] = ()
    direct: ServiceCreditControl | None = None
    ps_information: PsInformation | None = None
    origin_state_id: int | None = None
    proxy_infos: tuple[bytes, ...] = ()
    hop_by_hop: int = 0
    end_to_end: int = 0
    retransmitted: bool = False
    proxiable: bool = True

    @property
    def imsi(self) -> str | None:
        """The subscriber's IMSI, from a Subscription-Id of that type, or None."""
        for subscription_id in self.subscription_ids:
            if subscription_id.type is SubscriptionIdType.IMSI:
                return subscription_id.data
        return None

    def encode(self) -> bytes:
        """Encode the message, its AVPs in the order of Open5GS."""
        parts = [
            d.SESSION_ID.encode(self.session_id),
            d.ORIGIN_HOST.encode(self.origin_host),
            d.ORIGIN_REALM.encode(self.origin_realm),
            d.DESTINATION_REALM.encode(self.destination_realm),
            d.AUTH_APPLICATION_ID.encode(APPLICATION_CREDIT_CONTROL),
            d.SERVICE_CONTEXT_ID.encode(self.service_context_id),
            d.CC_REQUEST_TYPE.encode(self.cc_request_type),
            d.CC_REQUEST_NUMBER.encode(self.cc_request_number),
        ]
        if self.destination_host is not None:
            parts.append(d.DESTINATION_HOST.encode(self.destination_host))
        if self.origin_state_id is not None:
            parts.append(d.ORIGIN_STATE_ID.encode(self.origin_state_id))
        if self.event_timestamp is not None:
            parts.append(d.EVENT_TIMESTAMP.encode(self.event_timestamp))
        parts += [subscription_id.encode() for subscription_id in self.subscription_ids]
        if self.termination_cause is not None:
            parts.append(d.TERMINATION_CAUSE.encode(self.termination_cause))
        if self.requested_action is not None:
            parts.append(d.REQUESTED_ACTION.encode(self.requested_action))
        if self.multiple_services_indicator is not None:
            parts.append(d.MULTIPLE_SERVICES_INDICATOR.encode(self.multiple_services_indicator))
        if self.direct is not None:
            parts.append(self.direct.encode_content())
        parts += [service.encode() for service in self.services]
        if self.ps_information is not None:
            parts.append(self.ps_information.encode())
        parts += map(d.PROXY_INFO.encode, self.proxy_infos)
        flags = FLAG_REQUEST | (FLAG_PROXIABLE if self.proxiable else 0)
        flags |= FLAG_RETRANSMITTED if self.retransmitted else 0
        header = Header(flags, Command.CREDIT_CONTROL, APPLICATION_CREDIT_CONTROL, self.hop_by_hop, self.end_to_end)
        return encode_message(header, b"".join(parts))

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message.

        Raises:
            DiameterError: it is malformed; the error has the Result-Code and the AVP at fault.
        """
        header = decode_header(message)
        avps = read_message(message)
        get, need, every = avps.get, avps.need, avps.every
        is_direct = avps.has(d.REQUESTED_SERVICE_UNIT) or avps.has(d.USED_SERVICE_UNIT)
        service_information = get(d.SERVICE_INFORMATION)
        if need(d.AUTH_APPLICATION_ID) != APPLICATION_CREDIT_CONTROL:
            raise d.AUTH_APPLICATION_ID.invalid_value(need(d.AUTH_APPLICATION_ID).to_bytes(4, "big"))
        return cls(
            session_id=need_session_id(avps),
            origin_host=need(d.ORIGIN_HOST),
            origin_realm=need(d.ORIGIN_REALM),
            destination_realm=need(d.DESTINATION_REALM),
            cc_request_type=need(d.CC_REQUEST_TYPE),
            cc_request_number=need(d.CC_REQUEST_NUMBER),
            destination_host=get(d.DESTINATION_HOST),
            service_context_id=need(d.SERVICE_CONTEXT_ID),
            event_timestamp=get(d.EVENT_TIMESTAMP),
            subscription_ids=tuple(map(SubscriptionId.decode, every(d.SUBSCRIPTION_ID))),
            requested_action=get(d.REQUESTED_ACTION),
            termination_cause=get(d.TERMINATION_CAUSE),
            multiple_services_indicator=get(d.MULTIPLE_SERVICES_INDICATOR),
            services=tuple(map(ServiceCreditControl.decode, every(d.MULTIPLE_SERVICES_CREDIT_CONTROL))),
            direct=ServiceCreditControl.read(avps) if is_direct else None,
            ps_information=_ps_information(service_information),
            origin_state_id=get(d.ORIGIN_STATE_ID),
            proxy_infos=every(d.PROXY_INFO),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
            retransmitted=header.is_retransmitted,
            proxiable=bool(header.flags & FLAG_PROXIABLE),
        )


def _ps_information(service_information: bytes | None) -> PsInformation | None:
    if service_information is None:
        return None
    ps_information = read_avps(service_information).get(d.PS_INFORMATION)
    return None if ps_information is None else PsInformation.decode(ps_information)


def _cost_information(kobo: int) -> bytes:
    return d.COST_INFORMATION.group(
        d.UNIT_VALUE.group(d.VALUE_DIGITS.encode(kobo), d.EXPONENT.encode(_KOBO_EXPONENT)),
        d.CURRENCY_CODE.encode(NAIRA),
    )


def _cost_kobo(cost_information: bytes | None) -> int | None:
    """Return a cost in kobo; raises DiameterError (5004) if it is not a whole number of kobo."""
    if cost_information is None:
        return None
    unit_value = read_avps(cost_information).need(d.UNIT_VALUE)
    value = read_avps(unit_value)
    exponent = (value.get(d.EXPONENT) or 0) - _KOBO_EXPONENT
    if not 0 <= exponent <= _MOST_DIGITS:
        raise d.UNIT_VALUE.invalid_value(unit_value)
    kobo: int = value.need(d.VALUE_DIGITS) * 10**exponent
    return kobo


class CreditControlAnswer(msgspec.Struct, frozen=True, gc=False):
    """CCA (RFC 8506, 3.2).

    ``direct`` answers a client without Multiple-Services-Credit-Control. In a refusal by an intermediary (E bit)
    the type and the number of the request may be missing: they are then None.
    """

    session_id: str
    result_code: int
    origin_host: str
    origin_realm: str
    cc_request_type: CcRequestType | None
    cc_request_number: int | None
    services: tuple[ServiceCreditControl, ...] = ()
    direct: ServiceCreditControl | None = None
    error_message: str | None = None
    failed_avp: bytes = b""
    failure_handling: CcFailureHandling | None = None
    direct_debiting_failure_handling: DirectDebitingFailureHandling | None = None
    check_balance_result: CheckBalanceResult | None = None
    cost_kobo: int | None = None
    """Cost-Information of a price enquiry, in hundredths of a naira (RFC 8506, 8.7)."""
    proxy_infos: tuple[bytes, ...] = ()
    hop_by_hop: int = 0
    end_to_end: int = 0
    proxiable: bool = True

    @property
    def is_success(self) -> bool:
        """Whether the whole command succeeded (2xxx)."""
        return 2000 <= self.result_code < 3000

    @property
    def is_protocol_error(self) -> bool:
        """Whether the answer has the E bit (3xxx)."""
        return 3000 <= self.result_code < 4000

    def encode(self) -> bytes:
        """Encode the message; with the E bit it follows the grammar of the answer-message (RFC 6733, 7.2)."""
        parts = [
            d.SESSION_ID.encode(self.session_id),
            d.RESULT_CODE.encode(self.result_code),
            d.ORIGIN_HOST.encode(self.origin_host),
            d.ORIGIN_REALM.encode(self.origin_realm),
        ]
        if not self.is_protocol_error:
            parts += self._of_its_command()
        if self.direct is not None:
            parts.append(self.direct.encode_content())
        parts += [service.encode() for service in self.services]
        if self.failure_handling is not None:
            parts.append(d.CC_FAILURE_HANDLING.encode(self.failure_handling))
        if self.direct_debiting_failure_handling is not None:
            parts.append(d.DIRECT_DEBITING_FAILURE_HANDLING.encode(self.direct_debiting_failure_handling))
        if self.check_balance_result is not None:
            parts.append(d.CHECK_BALANCE_RESULT.encode(self.check_balance_result))
        if self.cost_kobo is not None:
            parts.append(_cost_information(self.cost_kobo))
        if self.error_message is not None:
            parts.append(d.ERROR_MESSAGE.encode(self.error_message))
        if self.failed_avp:
            parts.append(d.FAILED_AVP.encode(self.failed_avp))
        parts += map(d.PROXY_INFO.encode, self.proxy_infos)
        flags = FLAG_PROXIABLE if self.proxiable else 0
        flags |= FLAG_ERROR if self.is_protocol_error else 0
        header = Header(flags, Command.CREDIT_CONTROL, APPLICATION_CREDIT_CONTROL, self.hop_by_hop, self.end_to_end)
        return encode_message(header, b"".join(parts))

    def _of_its_command(self) -> list[bytes]:
        parts = [d.AUTH_APPLICATION_ID.encode(APPLICATION_CREDIT_CONTROL)]
        if self.cc_request_type is not None:
            parts.append(d.CC_REQUEST_TYPE.encode(self.cc_request_type))
        if self.cc_request_number is not None:
            parts.append(d.CC_REQUEST_NUMBER.encode(self.cc_request_number))
        return parts

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        is_direct = avps.has(d.GRANTED_SERVICE_UNIT) or avps.has(d.FINAL_UNIT_INDICATION)
        return cls(
            session_id=avps.need(d.SESSION_ID),
            result_code=avps.need(d.RESULT_CODE),
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            cc_request_type=avps.get(d.CC_REQUEST_TYPE),
            cc_request_number=avps.get(d.CC_REQUEST_NUMBER),
            services=tuple(map(ServiceCreditControl.decode, avps.every(d.MULTIPLE_SERVICES_CREDIT_CONTROL))),
            direct=ServiceCreditControl.read(avps) if is_direct else None,
            error_message=avps.get(d.ERROR_MESSAGE),
            failed_avp=avps.get(d.FAILED_AVP) or b"",
            failure_handling=avps.get(d.CC_FAILURE_HANDLING),
            direct_debiting_failure_handling=avps.get(d.DIRECT_DEBITING_FAILURE_HANDLING),
            check_balance_result=avps.get(d.CHECK_BALANCE_RESULT),
            cost_kobo=_cost_kobo(avps.get(d.COST_INFORMATION)),
            proxy_infos=avps.every(d.PROXY_INFO),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
            proxiable=bool(header.flags & FLAG_PROXIABLE),
        )
