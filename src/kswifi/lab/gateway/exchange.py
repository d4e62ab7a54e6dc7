"""One plain HTTP request and its answer, each parsed to its end and encoded again (RFC 9112; h11).

The proxy speaks HTTP/1.1 on both sides and allows one request per connection, which it announces with
``Connection: close`` to the client and to the origin. Octets after the end of a message are discarded. So a second
request on the connection never reaches the origin of the first, and a second answer never reaches the client.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from kswifi.lab.gateway.errors import ProxyRefusedError

_LARGEST_EVENT_OCTETS: Final = 65_536
"""The longest head, chunk size line or trailer section that is accepted from an origin."""
_MOST_EVENTS_AT_ONCE: Final = 256
"""How many chunks are parsed at once; a message of many tiny chunks must not block the event loop."""
_MOST_INTERIM_ANSWERS: Final = 32
_MOST_DIGITS: Final = 9
_NAME: Final = b"kswifi"

_FRAMING: Final = frozenset((b"content-length", b"host", b"transfer-encoding"))
"""Never removed, even if Connection names them: without them the body would be read as the next message."""
_HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
    )
)  # RFC 9110, 7.6.1 and 11.7
_NEVER_IN_TRAILERS: Final = _FRAMING | frozenset(
    (b"authorization", b"content-encoding", b"content-type", b"expect")
)

Fields = list[tuple[bytes, bytes]]


class BrokenMessageError(Exception):
    """A message being forwarded is malformed; ``status`` is the answer to the client, if none has begun."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class _Way:
    """One direction of an exchange: the request to the origin, or the answer to the client."""

    source: h11.Connection
    sink: h11.Connection
    takes_trailers: bool
    is_over: bool = False
    """Whether the message has ended or broken off."""
    has_more: bool = False
    """Whether received octets are still to be parsed."""


class Exchange:
    """Translates a request for the origin and its answer for the client, without doing I/O.

    Args:
        client: the h11 state of the client's connection, after its request head.
        request: that head.
        path: the target in origin form.
        authority: host and port of the target, which replace the Host field (RFC 9112, 3.2.2).
    """

    def __init__(self, client: h11.Connection, request: h11.Request, path: bytes, authority: bytes) -> None:
        self._client = client
        self._origin = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_EVENT_OCTETS)
        self.is_head = request.method == b"HEAD"
        self._is_http_1_0 = request.http_version < b"1.1"
        self._interim_answers = 0
        self.request = _Way(client, self._origin, takes_trailers=True)
        self.answer = _Way(self._origin, client, takes_trailers=not self._is_http_1_0)
        fields = [(name, value) for name, value in _end_to_end(request) if name.lower() != b"host"]
        fields = [
            (b"Host", authority),
            *_with_one_hop_less(fields, request),
            _via(request),
            (b"Connection", b"close"),
        ]
        self._head = self._origin.send(h11.Request(method=request.method, target=path, headers=fields))

    @property
    def may_refuse(self) -> bool:
        """Whether no final answer has begun, so that the proxy can still send its own."""
        return self._client.our_state is h11.SEND_RESPONSE

    def begin(self) -> bytes:
        """Return the head for the origin, and the part of the body that arrived together with the client's head.

        Raises:
            BrokenMessageError: the body is malformed.
        """
        return self._head + self.take_request(None)

    def take_request(self, octets: bytes | None) -> bytes:
        """Parse octets of the client; return the octets to send to the origin.

        Args:
            octets: b"" for the end of the client's stream; None to go on parsing, while ``request.has_more``.

        Raises:
            BrokenMessageError: the request is malformed, or ends too early.
        """
        parts: list[bytes] = []
        try:
            self._pass_on(self.request, octets, parts)
        except h11.ProtocolError as error:
            raise BrokenMessageError(error.error_status_hint, str(error)) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take_answer(self, octets: bytes | None) -> bytes:
        """Parse octets of the origin, as ``take_request`` does; return the octets to send to the client.

        If an answer breaks off, the part that arrived is forwarded, and its framing shows that it is incomplete.

        Raises:
            BrokenMessageError: it is malformed, or it ended, before an answer began.
        """
        parts: list[bytes] = []
        try:
            self._pass_on(self.answer, octets, parts)
        except h11.ProtocolError as error:
            self.break_answer(f"the origin's answer is malformed: {error}")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def break_answer(self, words: str) -> None:
        """End the answer where it broke off.

        Raises:
            BrokenMessageError: no answer had begun.
        """
        self.answer.is_over = True
        self.answer.has_more = False
        if self.may_refuse:
            raise BrokenMessageError(502, words)

    def _pass_on(self, way: _Way, octets: bytes | None, parts: list[bytes]) -> None:
        """Parse received octets and append the octets to forward; those parsed before an error are appended too."""
        body: list[bytes] = []
        try:
            if octets is not None:
                way.source.receive_data(octets)
            way.has_more = False
            for _ in range(_MOST_EVENTS_AT_ONCE):
                event = way.source.next_event()
                if isinstance(event, h11.Data):
                    body.append(event.data)
                    continue
                _flush(way, body, parts)
                if isinstance(event, h11.InformationalResponse):
                    parts.append(self._interim_answer(event))
                elif isinstance(event, h11.Response):
                    parts.append(way.sink.send(_forwarded_answer(event)))
                elif isinstance(event, h11.EndOfMessage):
                    parts.append(way.sink.send(_end(event, with_trailers=way.takes_trailers)))
                    way.is_over = True
                    return
                else:
                    return
            way.has_more = True
        finally:
            _flush(way, body, parts)

    def _interim_answer(self, event: h11.InformationalResponse) -> bytes:
        self._interim_answers += 1
        if self._interim_answers > _MOST_INTERIM_ANSWERS:
            raise BrokenMessageError(502, "the origin sends too many interim answers")
        if self._is_http_1_0:
            return b""  # RFC 9110, 15.2: HTTP/1.0 has no interim answers
        fields = [(name, value) for name, value in _end_to_end(event) if name.lower() not in _FRAMING]
        interim = h11.InformationalResponse(status_code=event.status_code, headers=fields, reason=event.reason)
        return self._client.send(interim)


def _flush(way: _Way, body: list[bytes], parts: list[bytes]) -> None:
    """Forward the pieces of a body as one, so that tiny chunks are joined."""
    if body:
        data = body[0] if len(body) == 1 else b"".join(body)
        parts += way.sink.send_with_data_passthrough(h11.Data(data=data)) or ()
        body.clear()


def _end(event: h11.EndOfMessage, *, with_trailers: bool) -> h11.EndOfMessage:
    """Return the end of message to forward, without trailers that could change its meaning (RFC 9110, 6.5.1)."""
    kept = event.headers.raw_items() if with_trailers else []
    dropped = _HOP_BY_HOP | _NEVER_IN_TRAILERS
    return h11.EndOfMessage(headers=[(name, value) for name, value in kept if name.lower() not in dropped])


def refusal(refused: ProxyRefusedError, *, to_head: bool) -> bytes:
    """Return the proxy's own answer to a refused request; an answer to HEAD has no body (RFC 9110, 9.3.2)."""
    body = refused.message.encode()
    lines = [
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if refused.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        lines.append('Proxy-Authenticate: Basic realm="KSWiFi access gateway", charset="UTF-8"')
    head = "\r\n".join([*lines, "", ""]).encode()
    return head if to_head else head + body


def _end_to_end(message: h11.Request | h11.InformationalResponse | h11.Response) -> Fields:
    """Return the end-to-end fields: all but the hop-by-hop ones and those that the Connection field names."""
    named = {
        option.strip().lower()
        for field, value in message.headers
        if field == b"connection"
        for option in value.split(b",")
    }
    dropped = _HOP_BY_HOP | (named - _FRAMING)
    return [(name, value) for name, value in message.headers.raw_items() if name.lower() not in dropped]


def _via(message: h11.Request | h11.Response) -> tuple[bytes, bytes]:
    """Return the Via field, with the HTTP version in which the proxy received the message (RFC 9110, 7.6.3)."""
    return b"Via", message.http_version + b" " + _NAME


def _with_one_hop_less(fields: Fields, request: h11.Request) -> Fields:
    """Decrement Max-Forwards of TRACE and OPTIONS (RFC 9110, 7.6.2).

    Raises:
        ProxyRefusedError: 405, it is zero: the request is for the proxy itself.
    """
    if request.method not in (b"OPTIONS", b"TRACE"):
        return fields
    counted: Fields = []
    for name, value in fields:
        if name.lower() == b"max-forwards" and value.isdigit() and len(value) <= _MOST_DIGITS:
            if not int(value):
                raise ProxyRefusedError(405, "this proxy itself answers neither OPTIONS nor TRACE\n")
            counted.append((name, b"%d" % (int(value) - 1)))
        else:
            counted.append((name, value))
    return counted


def _forwarded_answer(answer: h11.Response) -> h11.Response:
    fields = _end_to_end(answer)
    if answer.status_code == HTTPStatus.NO_CONTENT:  # RFC 9112, 6.1 and 6.2
        fields = [(name, value) for name, value in fields if name.lower() not in _FRAMING]
    fields += [_via(answer), (b"Connection", b"close")]
    return h11.Response(status_code=answer.status_code, headers=fields, reason=answer.reason)
