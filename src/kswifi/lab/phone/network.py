"""The phone's network: a WiFi switch, a line switch, and the only place where the phone's sockets are made.

With WiFi on, the phone can connect to any address. With WiFi off it can connect only to the access network: the
gateway's attach port and proxy. ``forbid_other_connects`` enforces this for the whole process, including code that
does not use this module.
"""

import json
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kswifi.kernel.errors import KswifiError
from kswifi.lab.access_keys import proxy_authorization
from kswifi.lab.settings import HostPort

_CONNECT_SECONDS: Final = 10.0
_LARGEST_ANSWER_OCTETS: Final = 16_384
_ADDRESSED: Final = ("socket.connect", "socket.sendto", "socket.sendmsg")


class PhoneNetworkError(KswifiError):
    """The phone cannot make this connection now."""

    code = "phone_network"


class NoNetworkError(PhoneNetworkError):
    """WiFi is off and the line is not attached."""

    code = "no_network"


class ProxyAnswerError(PhoneNetworkError):
    """The access gateway's proxy refused a connection with the HTTP status ``status``."""

    code = "proxy_answer"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status=status)
        self.status = status


@dataclass(frozen=True, slots=True)
class ProxyCredentials:
    """The proxy of the user plane and the credentials of a bearer, from an attach."""

    address: HostPort
    bearer_id: str
    password: str

    @property
    def authorization(self) -> str:
        """The value of Proxy-Authorization."""
        return proxy_authorization(self.bearer_id, self.password)


class Network:
    """The switches, which are kept on disk, and the factory of the phone's sockets.

    Args:
        directory: where the switches are kept.
        gateway: the addresses of the attach port and the proxy.
    """

    def __init__(self, directory: Path, gateway: Iterable[HostPort]) -> None:
        self._file = directory / "switches.json"
        self._gateway = frozenset(gateway)
        self.credentials: ProxyCredentials | None = None
        """Set by the modem while the line is attached."""
        self._wifi, self._line = True, False
        with suppress(FileNotFoundError):
            state = json.loads(self._file.read_text())
            self._wifi, self._line = bool(state["wifi"]), bool(state["line"])

    @property
    def gateway(self) -> frozenset[HostPort]:
        """The addresses of the access network."""
        return self._gateway

    @property
    def wifi(self) -> bool:
        """Whether WiFi is on."""
        return self._wifi

    @wifi.setter
    def wifi(self, on: bool) -> None:
        self._wifi = on
        self._save()

    @property
    def line(self) -> bool:
        """Whether the user has switched the line (mobile data) on."""
        return self._line

    @line.setter
    def line(self, on: bool) -> None:
        self._line = on
        self._save()

    def connect(self, host: str, port: int, seconds: float = _CONNECT_SECONDS) -> socket.socket:
        """Return a blocking socket to a server: directly if WiFi is on, else through the line.

        Raises:
            NoNetworkError: WiFi is off and the line is not attached.
            ProxyAnswerError: the gateway refused.
            OSError: the server does not answer.
        """
        if self._wifi:
            return socket.create_connection((host, port), seconds)
        return self.connect_over_line(host, port, seconds)

    def connect_over_line(self, host: str, port: int, seconds: float = _CONNECT_SECONDS) -> socket.socket:
        """Return a socket through the gateway's proxy, also if WiFi is on; raises as ``connect``."""
        credentials = self.credentials
        if credentials is None:
            raise NoNetworkError("WiFi is off and the line is not attached")
        connection = socket.create_connection(credentials.address, seconds)
        try:
            connection.sendall(tunnel_request(host, port, credentials))
            head = _read_head(connection)
            try:
                check_tunnel_answer(head)
            except ProxyAnswerError as refused:
                raise ProxyAnswerError(_read_refusal_text(connection) or refused.message, refused.status) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_to_gateway(self, address: HostPort, seconds: float = _CONNECT_SECONDS) -> socket.socket:
        """Return a socket to the access network, which stands for the radio: it does not depend on WiFi.

        Raises:
            PhoneNetworkError: the address is not one of the access network.
            OSError: the gateway does not answer.
        """
        if address not in self._gateway:
            raise PhoneNetworkError(f"{address[0]}:{address[1]} is not the access network")
        return socket.create_connection(address, seconds)

    def forbid_other_connects(self) -> None:
        """Make every connect or datagram of this process fail that is not allowed while WiFi is off.

        It does not affect open connections; the code that made them must close them when WiFi goes off. It is an
        audit hook (PEP 578), which cannot be removed: use it only in the phone's own process.
        """

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event not in _ADDRESSED or self._wifi:
                return
            address = arguments[1]
            if address is None and event == "socket.sendmsg":
                return  # on a connected socket, whose connect was checked
            if not isinstance(address, tuple) or address[:2] not in self._gateway:
                raise NoNetworkError(f"WiFi is off: {address!r} is not the access network")

        sys.addaudithook(hook)

    def _save(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        with new.open("w") as file:
            json.dump({"wifi": self._wifi, "line": self._line}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)


def tunnel_request(host: str, port: int, credentials: ProxyCredentials) -> bytes:
    """Return a CONNECT request (RFC 9110, 9.3.6)."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [
        f"CONNECT {authority} HTTP/1.1",
        f"Host: {authority}",
        f"Proxy-Authorization: {credentials.authorization}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def check_tunnel_answer(head: bytes) -> None:
    """Check the proxy's answer to CONNECT.

    Raises:
        ProxyAnswerError: its status is not 200.
    """
    status_line = head.partition(b"\r\n")[0].decode("latin-1")
    parts = status_line.split(" ", 2)
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    if status != 200:
        raise ProxyAnswerError(f"the access gateway answered {status_line!r}", status)


def _read_refusal_text(connection: socket.socket) -> str:
    """Read the body of a refusal, as one line of text."""
    with connection.makefile("rb") as body:
        return " ".join(body.read(_LARGEST_ANSWER_OCTETS).decode(errors="replace").split())


def _read_head(connection: socket.socket) -> bytes:
    """Read to the end of the proxy's head and not one octet further, because the octets after it are metered."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        peeked = connection.recv(_LARGEST_ANSWER_OCTETS, socket.MSG_PEEK)
        if not peeked or len(head) > _LARGEST_ANSWER_OCTETS:
            raise ProxyAnswerError("the access gateway ended the connection", 0)
        end = (head + peeked).find(b"\r\n\r\n")
        take = len(peeked) if end < 0 else end + 4 - len(head)
        head += connection.recv(take)
    return head
