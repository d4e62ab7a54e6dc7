"""Operators for tests: their certificates, their client of ES2+, and a callback server that keeps its requests."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kswifi.bench.es9_client import Es9Client, Es9FailedError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.operators.operators import add_operator, find_operator
from kswifi.esim.operators.profile_stock import stock_profile
from kswifi.esim.smdp.orders import ORDER_COLUMNS, read_order
from kswifi.esim.smdp.rsp_model import ProfileOrder
from kswifi.esim.sql import profile_order
from kswifi.servers.rsp.es2plus import PATH
from tests.support.cards import iccid, profile_package
from tests.support.smdp import ADDRESS, VAULT_KEY, RunningSmdp, client_context

Hostile = Callable[["Callback", BaseHTTPRequestHandler, dict[str, Any]], None]


@dataclass(frozen=True)
class Keyed:
    """A certificate that signs itself, with its key, as files."""

    certificate: x509.Certificate
    pem: Path
    key: Path


def self_signed(
    folder: Path, name: str, *, at: datetime | None = None, days: int = 30, hosts: Sequence[str] = ("localhost",)
) -> Keyed:
    """Make a certificate for a name, that starts a day before ``at``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = (at or datetime.now(UTC)) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days + 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Keyed(certificate, pem, key_file)


@dataclass
class Operator:
    """An operator that is registered at a server."""

    name: str
    server: RunningSmdp
    keyed: Keyed
    calls: int = 0
    clients: list[Es9Client] = field(default_factory=list)

    def client(self, port: int | None = None) -> Es9Client:
        """Return a connection that proves who it is; ``port`` is that of ES2+ unless given."""
        context = client_context(self.server.pki)
        context.load_cert_chain(self.keyed.pem, self.keyed.key)
        assert self.server.smdp.operators is not None
        reached = port or self.server.smdp.operators.port or 0
        self.clients.append(Es9Client(("127.0.0.1", reached), context, ADDRESS, PATH))
        return self.clients[-1]

    def ask(self, function: str, identifier: str | None = None, **fields: Any) -> dict[str, Any]:
        """Call a function as a new call, or as the one with this identifier; raises Es9FailedError."""
        self.calls += 1
        header = {
            "functionRequesterIdentifier": "2.999.77",
            "functionCallIdentifier": identifier or str(self.calls),
        }
        client = self.clients[0] if self.clients else self.client()
        answer = client.post(function, {"header": header, **fields})
        if answer.codes is not None:
            raise Es9FailedError(answer.codes)
        assert answer.status == 200
        assert answer.headers["x-admin-protocol"].startswith("gsma/rsp/v2.")
        fields = answer.json()
        assert fields.pop("header") == {"functionExecutionStatus": {"status": "Executed-Success"}}
        return fields

    def stock(self, *numbers: int, profile_type: str = "prepaid") -> None:
        """Give it profiles."""
        vault = SubscriberVault(VAULT_KEY)
        for number in numbers:
            self.server.write(
                lambda connection, number=number: stock_profile(  # type: ignore[misc]
                    connection, vault, find_operator(connection, self.name), profile_type, profile_package(number)
                )
            )

    def ordered(self, number: int, **eid: str) -> str:
        """Order the profile of a number; return its ICCID."""
        return str(self.ask("downloadOrder", iccid=iccid(number), **eid)["iccid"])

    def order_of(self, number: int) -> ProfileOrder:
        """Return the newest order of its profile."""
        wanted = (
            profile_order.select().with_only_columns(*ORDER_COLUMNS).where(profile_order.c.iccid == iccid(number))
        )
        rows = self.server.write(lambda connection: connection.execute(wanted).all())
        current = [row for row in rows if row.profile_state != "unavailable"]
        return read_order((current or rows)[-1])

    def close(self) -> None:
        for client in self.clients:
            client.close()


def registered(server: RunningSmdp, folder: Path, name: str, *, callback: "Callback | None" = None) -> Operator:
    """Register an operator and have the server let it in."""
    keyed = self_signed(folder, name, at=server.database.clock.now())
    changes: dict[str, Any] = {}
    if callback is not None:
        changes = {"callback_url": callback.url, "callback_ca": callback.keyed.pem.read_text()}
    server.write(lambda connection: add_operator(connection, name, keyed.certificate, **changes))
    refresh(server)
    return Operator(name, server, keyed)


def refresh(server: RunningSmdp) -> None:
    """Have the server look up its operators now, as it does every two seconds."""
    import asyncio

    assert server.smdp.operators is not None
    asyncio.run_coroutine_threadsafe(server.smdp.operators.refresh(), server.loop).result(20)


def codes(expected: str) -> "pytest.RaisesExc[Es9FailedError]":
    return pytest.RaisesExc(Es9FailedError, check=lambda error: error.message == expected)


class Callback:
    """A server for ES2+ calls on a free loopback port over TLS; ``behave`` may answer otherwise than well.

    ``heard``: what it took, with the certificate (DER) that it came by.
    """

    def __init__(self, folder: Path, name: str = "callback", *, clients: Path | None = None) -> None:
        self.keyed = self_signed(folder, name)
        self.heard: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.certificates: list[bytes | None] = []
        self.behave: Hostile | None = None
        self.news = threading.Condition()
        callback = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert isinstance(self.connection, ssl.SSLSocket)
                with callback.news:
                    callback.certificates.append(self.connection.getpeercert(binary_form=True))
                    callback.asked.append((self.path.rpartition("/")[2], body))
                if callback.behave is not None:
                    callback.behave(callback, self, body)
                else:
                    callback.take(body)
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keyed.pem, self.keyed.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="callback")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}"

    def take(self, body: dict[str, Any]) -> None:
        with self.news:
            self.heard.append(body)
            self.news.notify_all()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many were taken."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= count, 30)
            return list(self.heard)

    def points(self) -> list[tuple[int, str]]:
        """Return what was heard as (point, outcome), in the order of the points."""
        return sorted((each["notificationPointId"], outcome(each)) for each in self.heard)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def outcome(heard: dict[str, Any]) -> str:
    status = heard["notificationPointStatus"]
    data = status.get("statusCodeData", {})
    return f"{data['subjectCode']}/{data['reasonCode']}" if data else str(status["status"])


@contextmanager
def callback_server(folder: Path, name: str = "callback", *, clients: Path | None = None) -> Iterator[Callback]:
    one = Callback(folder, name, clients=clients)
    try:
        yield one
    finally:
        one.close()
