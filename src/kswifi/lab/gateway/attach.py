"""The attach port: AKA with a modem, then a bearer while the modem's connection is open (docs/access-wire.md)."""

import asyncio
import hmac
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from kswifi.diameter.messages.s6a import EutranVector
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import loopback_socket
from kswifi.kernel.numbers import Imsi
from kswifi.lab.attach_wire import (
    LONGEST_LINE_OCTETS,
    AttachWireError,
    encode_line,
    octets_field,
    read_message,
    text_field,
)
from kswifi.lab.gateway.acceptor import Acceptor
from kswifi.lab.gateway.authentication import EMM_NETWORK_FAILURE, fetch_vector
from kswifi.lab.gateway.bearer import Access, Bearer
from kswifi.lab.gateway.diameter_client import DiameterClient
from kswifi.lab.gateway.errors import AccessRefusedError, GatewayError
from kswifi.lab.sockets import probe_when_idle

_log = structlog.get_logger(__name__)

_ANSWER_SECONDS: Final = 10.0
_APN: Final = re.compile(r"[A-Za-z0-9.-]{1,63}")
_AUTS_OCTETS: Final = 14
_SYNCH_FAILURE: Final = 21  # TS 24.301, 9.9.3.9
_EMM_CONGESTION: Final = 22
_MOST_CONNECTIONS: Final = 256

OpenBearer = Callable[[str, str, bytes], Awaitable[Bearer]]
CloseBearer = Callable[[Bearer], Awaitable[None]]


class AuthenticationRejectedError(Exception):
    """The card's answer was wrong, or it refused the network twice."""


class AttachPort:
    """Serves modems; each connection is one attach.

    Args:
        client: the Diameter connection, for vectors.
        plmn: the serving network id, three octets.
        answer_seconds: how long an attach waits for the Diameter server.
        open_bearer: opens the bearer of (IMSI, APN, KASME).
        close_bearer: ends a bearer and reports its usage.
    """

    def __init__(
        self,
        client: DiameterClient,
        plmn: bytes,
        answer_seconds: float,
        open_bearer: OpenBearer,
        close_bearer: CloseBearer,
    ) -> None:
        self._client = client
        self._plmn = plmn
        self._answer_seconds = answer_seconds
        self._open_bearer = open_bearer
        self._close_bearer = close_bearer
        self._acceptor: Acceptor | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._proxy_address = ("", 0)

    def start(self, host: str, port: int, proxy_address: tuple[str, int]) -> tuple[str, int]:
        """Listen on a loopback address and return it.

        Args:
            host: the loopback address.
            port: the port; 0 takes a free one.
            proxy_address: address of the user plane, sent to each attached modem.
        """
        self._proxy_address = proxy_address
        self._acceptor = Acceptor(loopback_socket(host, port), self._accepted)
        return self._acceptor.address

    async def close(self) -> None:
        """Stop listening and detach every modem."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accepted(self, connection: socket.socket) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            connection.close()
            return
        probe_when_idle(connection)  # detects a modem that vanished without closing, which is a detach
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST_LINE_OCTETS)
        try:
            await self._attach(reader, writer)
        except AttachWireError as error:
            _send(writer, {"type": "attach_reject", "emm_cause": 111, "reason": error.message})
        except (OSError, TimeoutError):
            _log.info("a modem sends nothing")
        except asyncio.CancelledError:
            pass  # the gateway is stopping: the connection is closed below, and its bearer has been closed
        finally:
            writer.close()

    async def _attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_ANSWER_SECONDS):
            request = await _expect(reader, "attach_request")
        try:
            imsi = Imsi(text_field(request, "imsi"))
        except KswifiError as error:
            raise AttachWireError(error.message) from None
        apn = text_field(request, "apn")
        if not _APN.fullmatch(apn):
            raise AttachWireError("the APN has letters, digits, dots and hyphens, 63 at most")
        try:
            vector = await self._authenticate(reader, writer, imsi)
            async with asyncio.timeout(self._answer_seconds):
                bearer = await self._open_bearer(imsi, apn, vector.kasme)
        except AuthenticationRejectedError:
            _send(writer, {"type": "authentication_reject"})
            return
        except AccessRefusedError as refused:
            _send(writer, {"type": "attach_reject", "emm_cause": refused.emm_cause, "reason": refused.message})
            return
        except GatewayError as error:
            _send(writer, {"type": "attach_reject", "emm_cause": _EMM_CONGESTION, "reason": error.message})
            return
        except TimeoutError:
            reason = "the network does not answer"
            _send(writer, {"type": "attach_reject", "emm_cause": EMM_NETWORK_FAILURE, "reason": reason})
            return
        await self._stay_attached(reader, writer, bearer)

    async def _authenticate(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, imsi: str
    ) -> EutranVector:
        """Run AKA (TS 33.401, 6.1.1) and return the vector that the card answered.

        The challenge is RAND and AUTN of a vector. The card answers RES, which must equal XRES; or a MAC failure,
        if it does not recognise the network; or AUTS, if the sequence number in AUTN is not acceptable to it. With
        AUTS the authentication centre corrects its sequence number and makes a new vector, and AKA is tried once
        more.

        Raises:
            AuthenticationRejectedError: RES is wrong, the card reports a MAC failure, or AUTS came a second time.
        """
        vector = await self._vector(imsi, None)
        for is_last in (False, True):
            challenge = {"rand": vector.rand.hex(), "autn": vector.autn.hex(), "plmn": self._plmn.hex()}
            _send(writer, {"type": "authentication_request", **challenge})
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await read_message(reader)
            if answer is None:
                raise ConnectionResetError("the modem closed the connection")
            if answer["type"] == "authentication_response":
                if hmac.compare_digest(octets_field(answer, "res"), vector.xres):
                    return vector
                _log.warning("a card answered with a wrong RES", imsi=imsi)
                raise AuthenticationRejectedError
            if answer["type"] != "authentication_failure":
                raise AttachWireError("authentication_response or authentication_failure is expected here")
            if answer.get("emm_cause") != _SYNCH_FAILURE or is_last:
                break
            auts = octets_field(answer, "auts", _AUTS_OCTETS)
            vector = await self._vector(imsi, vector.rand + auts)
        raise AuthenticationRejectedError

    async def _vector(self, imsi: str, re_synchronization_info: bytes | None) -> EutranVector:
        async with asyncio.timeout(self._answer_seconds):
            return await fetch_vector(self._client, imsi, self._plmn, re_synchronization_info)

    async def _stay_attached(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bearer: Bearer
    ) -> None:
        def changed(access: Access, reason: str) -> None:
            _send(writer, {"type": "access_changed", "access": str(access), "reason": reason})

        bearer.changed = changed
        identity = bearer.credit.count.identity
        try:
            host, port = self._proxy_address
            accept = {"bearer_id": bearer.bearer_id, "proxy_host": host, "proxy_port": port}
            accept |= {"access": str(bearer.access), "pdn_address": identity.pdn_address}
            _send(writer, {"type": "attach_accept", **accept})
            message = await read_message(reader)
            if message is not None and message["type"] != "detach_request":
                raise AttachWireError("an attached modem may send detach_request only")
        finally:
            bearer.changed = lambda _access, _reason: None
            await self._close_bearer(bearer)
        if message is not None:
            _send(writer, {"type": "detach_accept"})
            with suppress(OSError):
                await writer.drain()


def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(encode_line(message))


async def _expect(reader: asyncio.StreamReader, kind: str) -> dict[str, Any]:
    message = await read_message(reader)
    if message is None:
        raise ConnectionResetError("the modem closed the connection")
    if message["type"] != kind:
        raise AttachWireError(f"{kind} is expected here")
    return message
