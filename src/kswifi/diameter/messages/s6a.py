"""S6a: Authentication-Information-Request and -Answer (TS 29.272, 5.2.3, 7.2.5 and 7.2.6).

AKA in short (TS 33.401, 6.1): the home network sends a vector. RAND is the challenge, AUTN proves to the card
that the network is genuine, XRES is the response that the card must give, KASME is the key that both sides
derive. If the card finds that the sequence number in AUTN is out of range, it returns AUTS; the next request
carries RAND and AUTS, and the home network resynchronises its sequence number.
"""

from dataclasses import dataclass
from typing import Final, Self

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import (
    APPLICATION_S6A,
    VENDOR_3GPP,
    Command,
    ResultCode,
)
from kswifi.diameter.header import (
    FLAG_ERROR,
    FLAG_PROXIABLE,
    FLAG_REQUEST,
    Header,
    decode_header,
    encode_message,
)
from kswifi.diameter.messages.base import S6A_APPLICATION_AVPS, need_session_id
from kswifi.diameter.reader import read_avps, read_message

PLMN_OCTETS: Final = 3
RESYNCHRONIZATION_OCTETS: Final = 30
"""Re-Synchronization-Info is RAND (16 octets) and AUTS (14) (TS 29.272, 7.3.15)."""


@dataclass(frozen=True, slots=True)
class EutranVector:
    """One EPS authentication vector (TS 33.401, 6.1.2): authenticates a card once."""

    rand: bytes
    xres: bytes
    autn: bytes
    kasme: bytes

    def __repr__(self) -> str:
        """Show RAND only: XRES and KASME are secrets, and this text may be logged."""
        return f"EutranVector(rand={self.rand.hex()})"

    def encode(self) -> bytes:
        """Encode Authentication-Info with the E-UTRAN-Vector inside."""
        return d.AUTHENTICATION_INFO.group(
            d.E_UTRAN_VECTOR.group(
                d.RAND.encode(self.rand),
                d.XRES.encode(self.xres),
                d.AUTN.encode(self.autn),
                d.KASME.encode(self.kasme),
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode the value of Authentication-Info; raises DiameterError."""
        avps = read_avps(read_avps(octets).need(d.E_UTRAN_VECTOR))
        return cls(
            rand=avps.need(d.RAND),
            xres=avps.need(d.XRES),
            autn=avps.need(d.AUTN),
            kasme=avps.need(d.KASME),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationInformationRequest:
    """AIR: a serving network asks for a vector for a subscriber.

    ``visited_plmn_id`` is the serving network in three octets (TS 29.272, 7.3.9); KASME is bound to it.
    ``re_synchronization_info`` is RAND and AUTS, after a card reported a sequence number that is out of range.
    """

    session_id: str
    origin_host: str
    origin_realm: str
    destination_realm: str
    user_name: str
    visited_plmn_id: bytes
    destination_host: str | None = None
    re_synchronization_info: bytes | None = None
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message; it asks for one vector with an immediate response."""
        wanted = d.NUMBER_OF_REQUESTED_VECTORS.encode(1) + d.IMMEDIATE_RESPONSE_PREFERRED.encode(1)
        if self.re_synchronization_info is not None:
            wanted += d.RE_SYNCHRONIZATION_INFO.encode(self.re_synchronization_info)
        parts = [
            d.SESSION_ID.encode(self.session_id),
            S6A_APPLICATION_AVPS,
            d.ORIGIN_HOST.encode(self.origin_host),
            d.ORIGIN_REALM.encode(self.origin_realm),
        ]
        if self.destination_host is not None:
            parts.append(d.DESTINATION_HOST.encode(self.destination_host))
        parts += (
            d.DESTINATION_REALM.encode(self.destination_realm),
            d.USER_NAME.encode(self.user_name),
            d.REQUESTED_EUTRAN_AUTHENTICATION_INFO.wrap(wanted),
            d.VISITED_PLMN_ID.encode(self.visited_plmn_id),
        )
        flags = FLAG_REQUEST | FLAG_PROXIABLE
        return _encode(flags, self.hop_by_hop, self.end_to_end, b"".join(parts))

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message.

        Raises:
            DiameterError: it is malformed, asks for no E-UTRAN vector (5005), or its PLMN or resynchronisation
                information has a wrong length (5014).
        """
        header = decode_header(message)
        avps = read_message(message)
        wanted = read_avps(avps.need(d.REQUESTED_EUTRAN_AUTHENTICATION_INFO))
        re_synchronization_info = wanted.get(d.RE_SYNCHRONIZATION_INFO)
        visited_plmn_id = avps.need(d.VISITED_PLMN_ID)
        if len(visited_plmn_id) != PLMN_OCTETS:
            raise d.VISITED_PLMN_ID.invalid_length(visited_plmn_id)
        if re_synchronization_info is not None and len(re_synchronization_info) != RESYNCHRONIZATION_OCTETS:
            raise d.RE_SYNCHRONIZATION_INFO.invalid_length(re_synchronization_info)
        return cls(
            session_id=need_session_id(avps),
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            destination_realm=avps.need(d.DESTINATION_REALM),
            destination_host=avps.get(d.DESTINATION_HOST),
            user_name=avps.need(d.USER_NAME),
            visited_plmn_id=visited_plmn_id,
            re_synchronization_info=re_synchronization_info,
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationInformationAnswer:
    """AIA: a vector, or the reason why there is none.

    ``result_code`` is a Result-Code, or with ``experimental`` an Experimental-Result-Code of 3GPP.
    """

    session_id: str
    result_code: int
    origin_host: str
    origin_realm: str
    experimental: bool = False
    vector: EutranVector | None = None
    error_message: str | None = None
    hop_by_hop: int = 0
    end_to_end: int = 0

    @property
    def is_success(self) -> bool:
        """Whether the answer has a vector."""
        return self.result_code == ResultCode.SUCCESS and not self.experimental

    def encode(self) -> bytes:
        """Encode the message."""
        if self.experimental:  # TS 29.272, 7.4.1
            result = d.EXPERIMENTAL_RESULT.group(
                d.VENDOR_ID.encode(VENDOR_3GPP), d.EXPERIMENTAL_RESULT_CODE.encode(self.result_code)
            )
        else:
            result = d.RESULT_CODE.encode(self.result_code)
        is_protocol_error = 3000 <= self.result_code < 4000 and not self.experimental
        parts = [
            d.SESSION_ID.encode(self.session_id),
            # An answer with the E bit has the grammar of the answer-message (RFC 6733, 7.2).
            b"" if is_protocol_error else S6A_APPLICATION_AVPS,
            result,
            d.ORIGIN_HOST.encode(self.origin_host),
            d.ORIGIN_REALM.encode(self.origin_realm),
        ]
        if self.vector is not None:
            parts.append(self.vector.encode())
        if self.error_message is not None:
            parts.append(d.ERROR_MESSAGE.encode(self.error_message))
        flags = FLAG_PROXIABLE
        if is_protocol_error:
            flags |= FLAG_ERROR
        return _encode(flags, self.hop_by_hop, self.end_to_end, b"".join(parts))

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        experimental = avps.get(d.EXPERIMENTAL_RESULT)
        if experimental is None:
            result_code = avps.need(d.RESULT_CODE)
        else:
            result_code = read_avps(experimental).need(d.EXPERIMENTAL_RESULT_CODE)
        information = avps.get(d.AUTHENTICATION_INFO)
        return cls(
            session_id=avps.need(d.SESSION_ID),
            result_code=result_code,
            experimental=experimental is not None,
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            vector=None if information is None else EutranVector.decode(information),
            error_message=avps.get(d.ERROR_MESSAGE),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


def _encode(flags: int, hop_by_hop: int, end_to_end: int, avps: bytes) -> bytes:
    header = Header(flags, Command.AUTHENTICATION_INFORMATION, APPLICATION_S6A, hop_by_hop, end_to_end)
    return encode_message(header, avps)
