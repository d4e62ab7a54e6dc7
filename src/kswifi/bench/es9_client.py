"""A simple client of ES9+ for load and tests: one TLS connection kept alive, answers returned unchanged."""

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from kswifi.bench.light_card import LightCard
from kswifi.kernel.errors import KswifiError
from kswifi.lab.settings import HostPort
from kswifi.rsp import binding, tlv
from kswifi.rsp.fields import SIGNATURE
from kswifi.rsp.messages.metadata import ProfileMetadata

PATH: Final = "/gsma/rsp2/es9plus/"
PROTOCOL: Final = "gsma/rsp/v2.2.0"
_TIMEOUT_SECONDS: Final = 30.0


class Es9FailedError(KswifiError):
    """The server answered Failed; the message is ``subject code/reason code``."""

    code = "es9_failed"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object."""
        answer = json.loads(self.body)
        assert isinstance(answer, dict)  # noqa: S101 - every answer of ES9+ is an object
        return answer

    @property
    def codes(self) -> str | None:
        """The subject and reason codes of a refusal, with a slash between; None for a success."""
        status = self.json()["header"]["functionExecutionStatus"]
        if status["status"] == "Executed-Success":
            return None
        return "{subjectCode}/{reasonCode}".format(**status["statusCodeData"])


class Es9Client:
    """One connection to the server; ``with`` closes it.

    Args:
        server: the address to connect to.
        context: verifies the server.
        name: the host name that the server's certificate must have.
        path: of the ES9+ functions.
    """

    def __init__(self, server: HostPort, context: ssl.SSLContext, name: str, path: str = PATH) -> None:
        self._connection = _Named(server, context, name)
        self._path = path

    def post(
        self, function: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> HttpAnswer:
        """Send one request; return the answer, whatever its status."""
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "X-Admin-Protocol": PROTOCOL, **(headers or {})}
        try:
            self._connection.request("POST", self._path + function, octets, sent)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens a new connection
            raise
        return HttpAnswer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)

    def call(self, function: str, **fields: bytes | str) -> dict[str, Any]:
        """Call a function and return its answer; octets are sent as Base64.

        Raises:
            Es9FailedError: the server refused it.
        """
        body = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in fields.items()}
        answer = self.post(function, body)
        if answer.status == 204:
            return {}
        if answer.codes is not None:
            raise Es9FailedError(answer.codes)
        return answer.json()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Named(http.client.HTTPSConnection):
    """A connection to an address, with a certificate for another name."""

    def __init__(self, server: HostPort, context: ssl.SSLContext, name: str) -> None:
        super().__init__(server[0], server[1], timeout=_TIMEOUT_SECONDS)
        self._tls, self._name = context, name

    def connect(self) -> None:
        """Connect and verify the certificate against the name."""
        http.client.HTTPConnection.connect(self)
        assert self.sock is not None  # noqa: S101 - connect made it
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


@dataclass(slots=True)
class Download:
    """One download, step by step. Each step stores its answer, for the next step and for tests.

    The order of the steps is ``initiate``, ``authenticate``, ``get_package``, ``notify``. Steps that send a message
    of the card take it as an argument, so that a test can send a wrong one.
    """

    client: Es9Client
    card: LightCard
    address: str
    matching_id: str | None
    code_digest: bytes | None = None
    transaction_id: str = ""
    initiated: dict[str, Any] | None = None
    offered: dict[str, Any] | None = None
    package: bytes = b""

    def initiate(self) -> None:
        """Call ES9+.InitiateAuthentication."""
        self.initiated = self.client.call(
            "initiateAuthentication",
            euiccChallenge=self.card.challenge(),
            euiccInfo1=self.card.info1(),
            smdpAddress=self.address,
        )
        self.transaction_id = str(self.initiated["transactionId"])

    def authenticate_response(self) -> bytes:
        """Return the card's AuthenticateServerResponse."""
        assert self.initiated is not None  # noqa: S101 - initiate comes first
        return self.card.authenticate(
            _octets(self.initiated["serverSigned1"]),
            _signature(self.initiated["serverSignature1"]),
            _octets(self.initiated["serverCertificate"]),
            self.matching_id,
        ).encode()

    def authenticate(self, response: bytes | None = None) -> None:
        """Call ES9+.AuthenticateClient."""
        response = response or self.authenticate_response()
        self.offered = self.client.call(
            "authenticateClient", transactionId=self.transaction_id, authenticateServerResponse=response
        )

    def prepare_response(self) -> bytes:
        """Return the card's PrepareDownloadResponse, with its signed one-time public key."""
        assert self.offered is not None  # noqa: S101 - authenticate comes first
        return self.card.prepare_download(
            _octets(self.offered["smdpSigned2"]),
            _signature(self.offered["smdpSignature2"]),
            _octets(self.offered["smdpCertificate"]),
            self.code_digest,
        ).encode()

    def get_package(self, response: bytes | None = None) -> None:
        """Call ES9+.GetBoundProfilePackage."""
        response = response or self.prepare_response()
        answer = self.client.call(
            "getBoundProfilePackage", transactionId=self.transaction_id, prepareDownloadResponse=response
        )
        self.package = _octets(answer["boundProfilePackage"])

    def open_package(self) -> list[binding.Opened]:
        """Decrypt the package, as the card does."""
        assert self.offered is not None  # noqa: S101 - authenticate comes first
        certificate = _octets(self.offered["smdpCertificate"])
        return self.card.open_package(self.package, bytes.fromhex(self.transaction_id), certificate)

    @property
    def metadata(self) -> ProfileMetadata:
        """The profile's metadata, as the server offered it."""
        assert self.offered is not None  # noqa: S101 - authenticate comes first
        return ProfileMetadata.decode(_octets(self.offered["profileMetadata"]))

    def install_result(self, smdp_oid: str) -> bytes:
        """Return the card's signed ProfileInstallationResult of a success."""
        tid = bytes.fromhex(self.transaction_id)
        return self.card.install_result(tid, self.metadata.iccid, self.address, smdp_oid).encode()

    def notify(self, pending: bytes) -> None:
        """Call ES9+.HandleNotification."""
        self.client.call("handleNotification", pendingNotification=pending)


def _octets(value: object) -> bytes:
    return base64.b64decode(str(value), validate=True)


def _signature(value: object) -> bytes:
    """Return the 64 octets of a signature, without its tag 5F37."""
    return tlv.only(_octets(value), SIGNATURE).value
