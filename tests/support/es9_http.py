"""ES9+ over HTTPS for a test: JSON in, JSON out, and a `SmallSmdp` behind it, on a free loopback port."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.lab.phone.es9 import Es9RefusedError
from kswifi.rsp.certificates import Role
from kswifi.rsp.pki import Pki
from kswifi.rsp.pki_making import private_key_pem
from tests.support.rsp import SmallSmdp

SUCCESS = {"header": {"functionExecutionStatus": {"status": "Executed-Success"}}}
Answer = tuple[int, bytes]


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def answer(server: SmallSmdp, host: str, function: str, body: dict[str, str]) -> Answer:
    """Do one function as a server does."""
    try:
        result = _do(server, host, function, body)
    except Es9RefusedError as error:
        code = {"subjectCode": error.subject_code, "reasonCode": error.reason_code, "message": "no"}
        status = {"status": "Failed", "statusCodeData": code}
        return 200, json.dumps({"header": {"functionExecutionStatus": status}}).encode()
    if result is None:
        return 204, b""
    return 200, json.dumps({**SUCCESS, **result}).encode()


def _do(server: SmallSmdp, host: str, function: str, body: dict[str, str]) -> dict[str, str] | None:
    octets = {name: base64.b64decode(value) for name, value in body.items() if name[:4] not in ("smdp", "tran")}
    tid = bytes.fromhex(body.get("transactionId", ""))
    match function:
        case "initiateAuthentication":
            begun = server.initiate_authentication(
                body["smdpAddress"], octets["euiccChallenge"], octets["euiccInfo1"]
            )
            return {
                "transactionId": begun.transaction_id.hex(),
                "serverSigned1": _b64(begun.server_signed1),
                "serverSignature1": _b64(begun.server_signature1),
                "euiccCiPKIdToBeUsed": _b64(begun.ci_key_to_be_used),
                "serverCertificate": _b64(begun.server_certificate),
            }
        case "authenticateClient":
            client = server.authenticate_client(host, tid, octets["authenticateServerResponse"])
            return {
                "transactionId": body["transactionId"],
                "profileMetadata": _b64(client.profile_metadata),
                "smdpSigned2": _b64(client.smdp_signed2),
                "smdpSignature2": _b64(client.smdp_signature2),
                "smdpCertificate": _b64(client.smdp_certificate),
            }
        case "getBoundProfilePackage":
            package = server.get_bound_profile_package(host, tid, octets["prepareDownloadResponse"])
            return {"transactionId": body["transactionId"], "boundProfilePackage": _b64(package)}
        case "cancelSession":
            server.cancel_session(host, tid, octets["cancelSessionResponse"])
            return {}
    assert function == "handleNotification"
    server.handle_notification(host, octets["pendingNotification"])
    return None


Reply = Callable[[str, str, dict[str, str]], Answer]


@contextmanager
def https(reply: Reply, source: Pki, host: str, folder: Path) -> Iterator[tuple[str, Path, list[Any]]]:
    """Serve TLS with the PKI's certificate for a host; yield where, the file of its CIs, and the headers seen."""
    tls = source.tls_for(host)
    assert tls is not None
    chain, ca = folder / "tls.pem", folder / "ca.pem"
    chain.write_bytes(tls.certificate.parsed.public_bytes(Encoding.PEM) + private_key_pem(tls.key))
    ca.write_bytes(b"".join(each.certificate.parsed.public_bytes(Encoding.PEM) for each in source.of_role(Role.CI)))
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, dict(self.headers)))
            name = (self.headers["Host"] or "").lower()
            status, content = reply(name, self.path.rsplit("/", 1)[1], json.loads(body))
            self.send_response(status)
            self.send_header("X-Admin-Protocol", "gsma/rsp/v2.5.0")
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that does not trust us hangs up

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", ca, seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
