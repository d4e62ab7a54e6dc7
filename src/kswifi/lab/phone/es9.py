"""ES9+: the functions of an SM-DP+ that an LPA calls, as JSON over HTTPS (SGP.22, 5.6 and 6.5)."""

import base64
import binascii
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import httpx2

from kswifi.kernel.errors import KswifiError
from kswifi.rsp.status_codes import Status

ADMIN_PROTOCOL: Final = "gsma/rsp/v2.5.0"
_USER_AGENT: Final = "gsma-rsp-lpad"
_PATH: Final = "/gsma/rsp2/es9plus/"
_ANSWER_MAX_OCTETS: Final = 4 << 20
_TIMEOUT_SECONDS: Final = 30.0
_WORDS: Final = {(status.subject_code, status.reason_code): status.words for status in Status}


class Es9RefusedError(KswifiError):
    """The server answered Failed; subject and reason code give the cause (SGP.22, 5.2.6)."""

    code = "es9_refused"

    def __init__(self, subject_code: str, reason_code: str, message: str | None) -> None:
        words = _WORDS.get((subject_code, reason_code), message or "the server refused")
        super().__init__(
            f"{words} ({subject_code}/{reason_code})", subject_code=subject_code, reason_code=reason_code
        )
        self.subject_code = subject_code
        self.reason_code = reason_code


class Es9UnreachableError(KswifiError):
    """The server could not be reached, its certificate is wrong, or it did not answer in ES9+."""

    code = "es9_unreachable"


@dataclass(frozen=True, slots=True)
class InitiateAuthenticationAnswer:
    """The server's first answer: encoded data objects for AuthenticateServer, and the transaction id."""

    transaction_id: bytes
    server_signed1: bytes
    server_signature1: bytes
    ci_key_to_be_used: bytes
    server_certificate: bytes


@dataclass(frozen=True, slots=True)
class AuthenticateClientAnswer:
    """The profile's metadata (BF25), and encoded data objects for PrepareDownload."""

    profile_metadata: bytes
    smdp_signed2: bytes
    smdp_signature2: bytes
    smdp_certificate: bytes


class Es9(Protocol):
    """The five functions of ES9+; each raises Es9RefusedError or Es9UnreachableError."""

    def initiate_authentication(
        self, address: str, euicc_challenge: bytes, euicc_info1: bytes
    ) -> InitiateAuthenticationAnswer:
        """Begin a transaction (5.6.1)."""
        ...

    def authenticate_client(self, address: str, transaction_id: bytes, response: bytes) -> AuthenticateClientAnswer:
        """Send the card's AuthenticateServerResponse (5.6.3)."""
        ...

    def get_bound_profile_package(self, address: str, transaction_id: bytes, response: bytes) -> bytes:
        """Send the card's PrepareDownloadResponse; return the bound profile package (5.6.2)."""
        ...

    def cancel_session(self, address: str, transaction_id: bytes, response: bytes) -> None:
        """Send the card's CancelSessionResponse (5.6.5)."""
        ...

    def handle_notification(self, address: str, notification: bytes) -> None:
        """Send a PendingNotification (5.6.4)."""
        ...


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that verifies servers.

    Args:
        ca_file: the only authorities to trust, as certificates in PEM or one in DER (SGP.26); None for the
            system's.

    Raises:
        Es9UnreachableError: the file cannot be read or holds no certificates.
    """
    if ca_file is None:
        return _checked(ssl.create_default_context())
    try:
        octets = ca_file.read_bytes()
        return _checked(ssl.create_default_context(cadata=octets.decode() if b"-----BEGIN" in octets else octets))
    except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
        raise Es9UnreachableError(f"{ca_file} cannot be used to verify servers: {error}") from None


def tls_context_of(issuers: Iterable[bytes]) -> ssl.SSLContext:
    """Return a TLS context that trusts only these certificates (DER)."""
    return _checked(ssl.create_default_context(cadata=b"".join(issuers)))


def _checked(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # SGP.22, 2.6.6
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # strict RFC 5280; the certificates of SGP.26 pass it
    return context


class HttpEs9:
    """ES9+ over HTTPS, with one connection kept alive for each server. Use it with ``with``.

    Args:
        context: verifies the servers.
        connect_to: ``host:port`` to connect to instead of the server's address, to try a server that is not in DNS
            yet. The certificate is still checked against the server's address.
    """

    def __init__(self, context: ssl.SSLContext, connect_to: str | None = None) -> None:
        self._connect_to = connect_to
        self._client = httpx2.Client(verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def initiate_authentication(
        self, address: str, euicc_challenge: bytes, euicc_info1: bytes
    ) -> InitiateAuthenticationAnswer:
        """Begin a transaction (5.6.1)."""
        body = {
            "euiccChallenge": _text(euicc_challenge),
            "euiccInfo1": _text(euicc_info1),
            "smdpAddress": address,
        }
        answer = self._call(address, "initiateAuthentication", body)
        return InitiateAuthenticationAnswer(
            transaction_id=_transaction_id(answer),
            server_signed1=_octets(answer, "serverSigned1"),
            server_signature1=_octets(answer, "serverSignature1"),
            ci_key_to_be_used=_octets(answer, "euiccCiPKIdToBeUsed"),
            server_certificate=_octets(answer, "serverCertificate"),
        )

    def authenticate_client(self, address: str, transaction_id: bytes, response: bytes) -> AuthenticateClientAnswer:
        """Send the card's AuthenticateServerResponse (5.6.3)."""
        body = {"transactionId": _hex(transaction_id), "authenticateServerResponse": _text(response)}
        answer = self._call(address, "authenticateClient", body)
        return AuthenticateClientAnswer(
            profile_metadata=_octets(answer, "profileMetadata"),
            smdp_signed2=_octets(answer, "smdpSigned2"),
            smdp_signature2=_octets(answer, "smdpSignature2"),
            smdp_certificate=_octets(answer, "smdpCertificate"),
        )

    def get_bound_profile_package(self, address: str, transaction_id: bytes, response: bytes) -> bytes:
        """Send the card's PrepareDownloadResponse; return the bound profile package (5.6.2)."""
        body = {"transactionId": _hex(transaction_id), "prepareDownloadResponse": _text(response)}
        return _octets(self._call(address, "getBoundProfilePackage", body), "boundProfilePackage")

    def cancel_session(self, address: str, transaction_id: bytes, response: bytes) -> None:
        """Send the card's CancelSessionResponse (5.6.5)."""
        body = {"transactionId": _hex(transaction_id), "cancelSessionResponse": _text(response)}
        self._call(address, "cancelSession", body)

    def handle_notification(self, address: str, notification: bytes) -> None:
        """Send a PendingNotification (5.6.4)."""
        self._call(address, "handleNotification", {"pendingNotification": _text(notification)})

    def _call(self, address: str, function: str, body: dict[str, str]) -> dict[str, Any]:
        """Call a function; return its answer, which is empty for functions without output."""
        url = f"https://{self._connect_to or address}{_PATH}{function}"
        headers = {"User-Agent": _USER_AGENT, "X-Admin-Protocol": ADMIN_PROTOCOL}
        if self._connect_to is not None:
            headers["Host"] = address
        extensions = {"sni_hostname": _host(address)}
        try:
            with self._client.stream("POST", url, json=body, headers=headers, extensions=extensions) as response:
                content = _limited(response)
                status = response.status_code
        except httpx2.HTTPError as error:
            raise Es9UnreachableError(f"{address} cannot be reached: {error}", function=function) from error
        if status == 204:
            return {}
        if status != 200:
            raise Es9UnreachableError(f"{address} answered HTTP {status}", function=function, status=status)
        return _answer(address, content)


def _limited(response: httpx2.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _ANSWER_MAX_OCTETS:
            raise Es9UnreachableError("the server's answer is too long", octets=len(content))
    return bytes(content)


def _answer(address: str, content: bytes) -> dict[str, Any]:
    if not content:
        return {}
    try:
        answer = httpx2.Response(200, content=content).json()
    except ValueError:
        raise Es9UnreachableError(f"{address} did not answer in JSON") from None
    if not isinstance(answer, dict):
        raise Es9UnreachableError(f"{address} did not answer with a JSON object")
    status = _member(_member(answer, "header"), "functionExecutionStatus")
    if status.get("status") in ("Executed-Success", "Executed-WithWarning"):
        return answer
    reason = _member(status, "statusCodeData")
    raise Es9RefusedError(
        str(reason.get("subjectCode", "?")), str(reason.get("reasonCode", "?")), _words(reason.get("message"))
    )


def _member(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _words(message: object) -> str | None:
    return message[:200] if isinstance(message, str) and message.isprintable() else None


def _octets(answer: dict[str, Any], name: str) -> bytes:
    value = answer.get(name)
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise Es9UnreachableError(f"the server's answer lacks {name}", field=name)


def _transaction_id(answer: dict[str, Any]) -> bytes:
    """Read the transaction id, which is hexadecimal in JSON, in either case."""
    try:
        return bytes.fromhex(answer["transactionId"])
    except (KeyError, TypeError, ValueError):
        raise Es9UnreachableError("the server's answer lacks transactionId", field="transactionId") from None


def _hex(octets: bytes) -> str:
    return octets.hex().upper()


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _host(address: str) -> str:
    """Return an address without its port, as certificates name it."""
    return address.rsplit(":", 1)[0] if address.rsplit(":", 1)[-1].isdigit() else address
