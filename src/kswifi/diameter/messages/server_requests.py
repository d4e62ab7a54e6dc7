"""Requests of a server to its client: Re-Auth and Abort-Session (RFC 8506, 5.5; RFC 6733, 8.3 and 8.5)."""

from dataclasses import dataclass
from typing import Self

from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, RE_AUTH_AUTHORIZE_ONLY, Command
from kswifi.diameter.header import FLAG_PROXIABLE, FLAG_REQUEST, Header, decode_header, encode_message
from kswifi.diameter.messages.base import need_session_id
from kswifi.diameter.reader import read_message


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRequest:
    """RAR or ASR, which have the same content; ``command_code`` says which.

    A Re-Auth-Request makes the client report and ask anew now; an Abort-Session-Request makes it end the session.
    """

    command_code: Command
    session_id: str
    origin_host: str
    origin_realm: str
    destination_host: str
    destination_realm: str
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        avps = (
            d.SESSION_ID.encode(self.session_id)
            + d.ORIGIN_HOST.encode(self.origin_host)
            + d.ORIGIN_REALM.encode(self.origin_realm)
            + d.DESTINATION_REALM.encode(self.destination_realm)
            + d.DESTINATION_HOST.encode(self.destination_host)
            + d.AUTH_APPLICATION_ID.encode(APPLICATION_CREDIT_CONTROL)
        )
        if self.command_code is Command.RE_AUTH:
            # RFC 8506, 5.5: the only type defined for credit control.
            avps += d.RE_AUTH_REQUEST_TYPE.encode(RE_AUTH_AUTHORIZE_ONLY)
        flags = FLAG_REQUEST | FLAG_PROXIABLE
        header = Header(flags, self.command_code, APPLICATION_CREDIT_CONTROL, self.hop_by_hop, self.end_to_end)
        return encode_message(header, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        return cls(
            command_code=Command(header.command_code),
            session_id=need_session_id(avps),
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            destination_host=avps.need(d.DESTINATION_HOST),
            destination_realm=avps.need(d.DESTINATION_REALM),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRequestAnswer:
    """RAA or ASA; ``command_code`` says which. A refusal by another node may have no Session-Id."""

    command_code: int
    session_id: str | None
    result_code: int
    origin_host: str
    origin_realm: str
    hop_by_hop: int = 0
    end_to_end: int = 0

    def encode(self) -> bytes:
        """Encode the message."""
        avps = b"" if self.session_id is None else d.SESSION_ID.encode(self.session_id)
        avps += (
            d.RESULT_CODE.encode(self.result_code)
            + d.ORIGIN_HOST.encode(self.origin_host)
            + d.ORIGIN_REALM.encode(self.origin_realm)
        )
        header = Header(
            FLAG_PROXIABLE, self.command_code, APPLICATION_CREDIT_CONTROL, self.hop_by_hop, self.end_to_end
        )
        return encode_message(header, avps)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """Decode the message; raises DiameterError."""
        header = decode_header(message)
        avps = read_message(message)
        return cls(
            command_code=header.command_code,
            session_id=avps.get(d.SESSION_ID),
            result_code=avps.need(d.RESULT_CODE),
            origin_host=avps.need(d.ORIGIN_HOST),
            origin_realm=avps.need(d.ORIGIN_REALM),
            hop_by_hop=header.hop_by_hop,
            end_to_end=header.end_to_end,
        )
