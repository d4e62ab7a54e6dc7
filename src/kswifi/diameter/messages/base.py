"""Messages between neighbours: capabilities exchange, watchdog, disconnect, and refusals (RFC 6733, 5 and 7.2)."""

from dataclasses import dataclass
from typing import Final, Self

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import (
    APPLICATION_BASE,
    APPLICATION_RELAY,
    APPLICATION_S6A,
    AUTH_SESSION_NO_STATE_MAINTAINED,
    NO_INBAND_SECURITY,
    VENDOR_3GPP,
    Command,
    DisconnectCause,
    ResultCode,
)
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.header import FLAG_ERROR, FLAG_REQUEST, Header, decode_header, encode_message
from kswifi.diameter.reader import AvpSet, peek_avps, read_avps, read_message

_VENDOR_NONE: Final = 0
_NAMES_THE_REQUEST: Final = (d.SESSION_ID,)
_OF_ITS_COMMAND: Final = (d.AUTH_APPLICATION_ID, d.CC_REQUEST_TYPE, d.CC_REQUEST_NUMBER)
_PROXIES: Final = (d.PROXY_INFO,)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorApplication:
    """An application of a vendor, as offered in Vendor-Specific-Application-Id (RFC 6733, 6.11)."""

    vendor_id: int
    application_id: int

    def encode(self) -> bytes:
        """Encode the AVP."""
        return d.VENDOR_SPECIFIC_APPLICATION_ID.group(
            d.AUTH_APPLICATION_ID.encode(self.application_id), d.VENDOR_ID.encode(self.vendor_id)
        )


S6A_APPLICATION_AVPS: Final = VendorApplication(
    vendor_id=VENDOR_3GPP, application_id=APPLICATION_S6A
).encode() + d.AUTH_SESSION_STATE.encode(AUTH_SESSION_NO_STATE_MAINTAINED)
"""In every message of S6a, and in refusals that follow their command's grammar (TS 29.272, 7.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of a node, as sent in CER and CEA (RFC 6733, 5.3)."""

    origin_host: str
    origin_realm: str
    host_ip_addresses: tuple[str, ...]
    vendor_id: int = _VENDOR_NONE
    product_name: str = "KSWiFi"
    origin_state_id: int | None = None
    firmware_revision: int | None = None
    inband_security_ids: tuple[int, ...] = ()
    auth_application_ids: tuple[int, ...] = ()
    vendor_applications: tuple[VendorApplication, ...] = ()
    supported_vendor_ids: tuple[int, ...] = ()

    @property
    def application_ids(self) -> frozenset[int]:
        """All Application-Ids offered, vendor-specific ones included."""
        return frozenset(self.auth_application_ids) | {
            application.application_id for application in self.vendor_applications
        }

    def common_applications(self, other: "Capabilities") -> frozenset[int]:
        """Return the applications that both offer; a relay has all of them in common (RFC 6733, 2.4)."""
        ours, theirs = self.application_ids, other.application_ids
        return ours if APPLICATION_RELAY in theirs else ours & theirs

    def encode(self) -> bytes:
        """Encode the AVPs, concatenated."""
        parts = [d.ORIGIN_HOST.encode(self.origin_host), d.ORIGIN_REALM.encode(self.origin_realm)]
        if self.origin_state_id is not None:
            parts.append(d.ORIGIN_STATE_ID.encode(self.origin_state_id))
        parts += map(d.HOST_IP_ADDRESS.encode, self.host_ip_addresses)
        parts += (d.VENDOR_ID.encode(self.vendor_id), d.PRODUCT_NAME.encode(self.product_name))
        if self.firmware_revision is not None:
            parts.append(d.FIRMWARE_REVISION.encode(self.firmware_revision))
        parts += map(d.INBAND_SECURITY_ID.encode, self.inband_security_ids)
        parts += map(d.AUTH_APPLICATION_ID.encode, self.auth_application_ids)
        parts += [application.encode() for application in self.vendor_applications]
        parts += map(d.SUPPORTED_VENDOR_ID.encode, self.supported_vendor_ids)
        return b"".join(parts)

    @classmethod
    def read(cls, avps: AvpSet) -> Self:
        """Read the capabilities from a message's AVPs."""
        return cls(
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            host_ip_addresses=avps.every(d.HOST_IP_ADDRESS),
            vendor_id=avps.need(d.VENDOR_ID),
            product_name=avps.need(d.PRODUCT_NAME),
            origin_state_id=avps.get(d.ORIGIN_STATE_ID),
            firmware_revision=avps.get(d.FIRMWARE_REVISION),
            inband_security_ids=avps.every(d.INBAND_SECURITY_ID),
            auth_application_ids=avps.every(d.AUTH_APPLICATION_ID),
            vendor_applications=tuple(map(_vendor_application, avps.every(d.VENDOR_SPECIFIC_APPLICATION_ID))),
            supported_vendor_ids=avps.every(d.SUPPORTED_VENDOR_ID),
        )

    def check_security(self) -> None:
        """Refuse a peer that offers in-band TLS only (RFC 6733, 6.10; without the AVP none is wanted).

        Raises:
            DiameterError: 5017.
        """
        if self.inband_security_ids and NO_INBAND_SECURITY not in self.inband_security_ids:
            raise DiameterError(
                ResultCode.NO_COMMON_SECURITY, "only Inband-Security-Id NO_INBAND_SECURITY is served"
            )


def _vendor_application(octets: bytes) -> VendorApplication:
    avps = read_avps(octets)
    application_id = avps.get(d.AUTH_APPLICATION_ID)
    if application_id is None:
        application_id = avps.need(d.ACCT_APPLICATION_ID)
    return VendorApplication(vendor_id=avps.need(d.VENDOR_ID), application_id=application_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesExchangeRequest:
    """CER: the first message of a connection (RFC 6733, 5.3.1)."""

    capabilities: Capabilities
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        return _request(Command.CAPABILITIES_EXCHANGE, self.hop_by_hop, self.end_to_end, self.capabilities.encode())

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        return cls(
            capabilities=Capabilities.read(read_message(message)),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesExchangeAnswer:
    """CEA: the answer to a CER (RFC 6733, 5.3.2). ``capabilities`` is None in a refusal without them."""

    result_code: int
    capabilities: Capabilities | None
    hop_by_hop: int = 0
    end_to_end: int = 0
    error_message: str | None = None

    def encode(self) -> bytes:
        """Encode the message."""
        avps = d.RESULT_CODE.encode(self.result_code)
        if self.capabilities is not None:
            avps += self.capabilities.encode()
        if self.error_message is not None:
            avps += d.ERROR_MESSAGE.encode(self.error_message)
        flags = FLAG_ERROR if 3000 <= self.result_code < 4000 else 0
        return _message(flags, Command.CAPABILITIES_EXCHANGE, self.hop_by_hop, self.end_to_end, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        result_code = avps.need(d.RESULT_CODE)
        refused = result_code != ResultCode.SUCCESS and not avps.has(d.PRODUCT_NAME)
        return cls(
            result_code=result_code,
            capabilities=None if refused else Capabilities.read(avps),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
            error_message=avps.get(d.ERROR_MESSAGE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWatchdogRequest:
    """DWR: checks that the peer is alive (RFC 6733, 5.5.1)."""

    origin_host: str
    origin_realm: str
    origin_state_id: int | None = None
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        avps = _origin(self.origin_host, self.origin_realm)
        if self.origin_state_id is not None:
            avps += d.ORIGIN_STATE_ID.encode(self.origin_state_id)
        return _request(Command.DEVICE_WATCHDOG, self.hop_by_hop, self.end_to_end, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        return cls(
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            origin_state_id=avps.get(d.ORIGIN_STATE_ID),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectPeerRequest:
    """DPR: announces that the sender closes the connection (RFC 6733, 5.4.1)."""

    origin_host: str
    origin_realm: str
    disconnect_cause: DisconnectCause
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        avps = _origin(self.origin_host, self.origin_realm) + d.DISCONNECT_CAUSE.encode(self.disconnect_cause)
        return _request(Command.DISCONNECT_PEER, self.hop_by_hop, self.end_to_end, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        return cls(
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            disconnect_cause=avps.need(d.DISCONNECT_CAUSE),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAnswer:
    """DWA or DPA, which have the same content (RFC 6733, 5.4.2 and 5.5.2); ``command_code`` says which."""

    command_code: int
    result_code: int
    origin_host: str
    origin_realm: str
    origin_state_id: int | None = None
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        avps = d.RESULT_CODE.encode(self.result_code) + _origin(self.origin_host, self.origin_realm)
        if self.origin_state_id is not None:
            avps += d.ORIGIN_STATE_ID.encode(self.origin_state_id)
        return _message(0, self.command_code, self.hop_by_hop, self.end_to_end, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        return cls(
            command_code=header.command_code,
            result_code=avps.need(d.RESULT_CODE),
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            origin_state_id=avps.get(d.ORIGIN_STATE_ID),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


def encode_refusal(request: bytes, header: Header, origin: bytes, error: DiameterError) -> bytes:
    """Encode the answer that refuses a request (RFC 6733, 7.2).

    Args:
        request: the refused message. Its Session-Id and Proxy-Info are copied if they can be found. A 4xxx or
            5xxx answer follows its command's grammar and has the AVPs that this requires; a 3xxx answer follows
            the grammar of the answer-message and has no others.
        header: the header of that message.
        origin: Origin-Host and Origin-Realm, from ``encode_origin``.
        error: the reason; 3xxx sets the E bit.
    """
    avps = peek_avps(request, _NAMES_THE_REQUEST)
    if not error.is_protocol_error:
        of_s6a = header.application_id == APPLICATION_S6A
        avps += S6A_APPLICATION_AVPS if of_s6a else peek_avps(request, _OF_ITS_COMMAND)
    avps += origin + d.RESULT_CODE.encode(error.result_code) + d.ERROR_MESSAGE.encode(error.message)
    if error.failed_avp:
        avps += d.FAILED_AVP.encode(error.failed_avp)
    avps += peek_avps(request, _PROXIES)
    flags = header.answer_flags | (FLAG_ERROR if error.is_protocol_error else 0)
    return encode_message(header._replace(flags=flags), avps)


def need_session_id(avps: AvpSet) -> str:
    """Return the Session-Id of a request.

    Raises:
        DiameterError: 5005 it is missing; 5004 it is empty (it must begin with the sender's identity, RFC 6733,
        8.8).
    """
    session_id = avps.need(d.SESSION_ID)
    if not session_id:
        raise d.SESSION_ID.invalid_value(b"")
    return session_id


def encode_origin(origin_host: str, origin_realm: str) -> bytes:
    """Encode Origin-Host and Origin-Realm, which are the same in every message of a node."""
    return _origin(origin_host, origin_realm)


def _origin(origin_host: str, origin_realm: str) -> bytes:
    return d.ORIGIN_HOST.encode(origin_host) + d.ORIGIN_REALM.encode(origin_realm)


def _request(command: int, hop_by_hop: int, end_to_end: int, avps: bytes) -> bytes:
    return _message(FLAG_REQUEST, command, hop_by_hop, end_to_end, avps)


def _message(flags: int, command: int, hop_by_hop: int, end_to_end: int, avps: bytes) -> bytes:
    return encode_message(Header(flags, command, APPLICATION_BASE, hop_by_hop, end_to_end), avps)
