"""The phone's modem: it attaches over the access wire; the card, which has K, answers (docs/access-wire.md)."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kswifi.aka.milenage import kasme
from kswifi.kernel.errors import KswifiError
from kswifi.lab.access_keys import proxy_password
from kswifi.lab.attach_wire import (
    LONGEST_LINE_OCTETS,
    AttachWireError,
    decode_line,
    encode_line,
    octets_field,
    text_field,
)
from kswifi.lab.phone.network import Network, ProxyCredentials
from kswifi.lab.settings import HostPort

_ANSWER_SECONDS: Final = 30.0
_SQN_XOR_AK_OCTETS: Final = 6
_MAC_FAILURE: Final = 20  # TS 24.301, 9.9.3.9
_SYNCH_FAILURE: Final = 21


class AuthenticateAnswer(Protocol):
    """A card's answer to a challenge: RES with keys, or AUTS, or a MAC failure."""

    @property
    def res(self) -> bytes | None:
        """The answer to the challenge."""

    @property
    def ck(self) -> bytes | None:
        """The cipher key."""

    @property
    def ik(self) -> bytes | None:
        """The integrity key."""

    @property
    def auts(self) -> bytes | None:
        """The resynchronisation token."""

    @property
    def mac_failure(self) -> bool:
        """Whether AUTN was not made with the card's key."""


class AuthenticatingCard(Protocol):
    """The part of a card that an attach needs."""

    def authenticate(self, rand: bytes, autn: bytes) -> AuthenticateAnswer:
        """Answer a challenge of the network."""
        ...


class AttachError(KswifiError):
    """The network did not admit the phone; ``emm_cause`` is the cause of TS 24.301, if it sent one."""

    code = "attach_failed"


@dataclass(frozen=True, slots=True)
class Attachment:
    """The result of an attach: the bearer, its access, the phone's address and the proxy of the user plane."""

    bearer_id: str
    access: str
    pdn_address: str
    proxy: HostPort


AccessChanged = Callable[[str, str], None]


class Modem:
    """Attaches and detaches. While attached, ``network.credentials`` is set.

    ``access`` is "detached", or the access that the network announced last: "full", "control_only" or "ended".
    ``reason`` is the network's text for it.

    Args:
        network: the phone's network, which makes its sockets.
        attach_address: of the gateway's attach port.
        access_changed: called with access and reason on each change, on the modem's own thread.
    """

    def __init__(
        self, network: Network, attach_address: HostPort, access_changed: AccessChanged | None = None
    ) -> None:
        self._network = network
        self._address = attach_address
        self._access_changed = access_changed
        self._wire: socket.socket | None = None
        self._listener: threading.Thread | None = None
        self._change = threading.Condition()
        self.access = "detached"
        self.reason = ""
        self.attachment: Attachment | None = None

    def attach(self, card: AuthenticatingCard, imsi: str, apn: str = "internet") -> Attachment:
        """Attach to the network; detach first if attached.

        Args:
            card: answers the network's challenge.
            imsi: the subscriber.
            apn: the access point name.

        Raises:
            AttachError: the network refused the phone, or the card refused the network.
            OSError: the gateway cannot be reached.
        """
        if self._wire is not None:
            self.detach()
        wire = self._network.connect_to_gateway(self._address)
        wire.settimeout(_ANSWER_SECONDS)
        lines = wire.makefile("rb")
        try:
            keys, accept = self._negotiate(wire, lines, card, {"imsi": imsi, "apn": apn})
        except BaseException:
            lines.close()
            wire.close()
            raise
        bearer_id = text_field(accept, "bearer_id")
        proxy = (text_field(accept, "proxy_host"), int(accept["proxy_port"]))
        attachment = Attachment(bearer_id, text_field(accept, "access"), text_field(accept, "pdn_address"), proxy)
        self._network.credentials = ProxyCredentials(proxy, bearer_id, proxy_password(keys, bearer_id))
        self._set(attachment.access, "attached")
        self.attachment = attachment
        self._wire = wire
        wire.settimeout(None)
        self._listener = threading.Thread(target=self._listen, args=(wire, lines), name="modem", daemon=True)
        self._listener.start()
        return attachment

    def detach(self) -> None:
        """Detach; return when the network has accepted it, which is after it has reported the last usage."""
        wire, listener = self._wire, self._listener
        self._wire, self._listener, self._network.credentials = None, None, None
        if wire is None or listener is None:
            return
        try:
            wire.sendall(encode_line({"type": "detach_request"}))
            listener.join(_ANSWER_SECONDS)
        except OSError:
            pass  # the network has closed the connection, which is a detach too
        finally:
            wire.close()
        self.attachment = None

    def wait_for_access(self, *wanted: str, seconds: float) -> bool:
        """Wait until ``access`` is one of the given values; return False if it is not after ``seconds``."""
        with self._change:
            return self._change.wait_for(lambda: self.access in wanted, seconds)

    def _negotiate(
        self, wire: socket.socket, lines: Any, card: AuthenticatingCard, who: dict[str, str]
    ) -> tuple[bytes, dict[str, Any]]:
        wire.sendall(encode_line({"type": "attach_request", **who}))
        keys = b""
        while True:
            message = _next(lines)
            kind = message["type"]
            if kind == "attach_accept" and keys:
                return keys, message
            if kind == "authentication_request":
                answer, keys = _answer(message, card)
                wire.sendall(encode_line(answer))
            elif kind == "authentication_reject":
                raise AttachError("the network does not take this card's answer: authentication rejected")
            elif kind == "attach_reject":
                cause = message.get("emm_cause")
                raise AttachError(
                    f"attach refused: {message.get('reason', 'no reason given')}",
                    emm_cause=cause if isinstance(cause, int) else None,
                )
            else:
                raise AttachError(f"the network sent {kind!r} out of order")

    def _listen(self, wire: socket.socket, lines: Any) -> None:
        """Receive messages of the network while attached."""
        try:
            while True:
                message = _next(lines)
                if message["type"] == "detach_accept":
                    break
                if message["type"] == "access_changed":
                    self._set(text_field(message, "access"), str(message.get("reason", "")))
        except (OSError, ValueError, AttachError, AttachWireError):
            pass  # the connection is lost, which is a detach
        finally:
            lines.close()
        if self._wire is wire:
            self._network.credentials = None
        if self.access != "ended":
            self._set("detached", "the connection ended")

    def _set(self, access: str, reason: str) -> None:
        with self._change:
            self.access, self.reason = access, reason
            self._change.notify_all()
        if self._access_changed is not None:
            self._access_changed(access, reason)


def _next(lines: Any) -> dict[str, Any]:
    line = lines.readline(LONGEST_LINE_OCTETS + 1)
    if not line:
        raise AttachError("the network closed the connection")
    return decode_line(line)


def _answer(challenge: dict[str, Any], card: AuthenticatingCard) -> tuple[dict[str, Any], bytes]:
    """Let the card answer a challenge; return the message for the network, and KASME after a success.

    The modem sees the card's CK and IK but sends only RES. KASME is derived here as the gateway's side has derived
    it.
    """
    autn, plmn = octets_field(challenge, "autn", 16), octets_field(challenge, "plmn", 3)
    result = card.authenticate(octets_field(challenge, "rand", 16), autn)
    if result.auts is not None:
        return {"type": "authentication_failure", "emm_cause": _SYNCH_FAILURE, "auts": result.auts.hex()}, b""
    if result.mac_failure or result.res is None or result.ck is None or result.ik is None:
        return {"type": "authentication_failure", "emm_cause": _MAC_FAILURE}, b""
    keys = kasme(result.ck, result.ik, plmn, autn[:_SQN_XOR_AK_OCTETS])
    return {"type": "authentication_response", "res": result.res.hex()}, keys
