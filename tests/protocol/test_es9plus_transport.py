"""ES9+ on the wire: HTTP, TLS, JSON, limits, and whatever anybody may send."""

import base64
import json
import logging
import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kswifi.bench.es9_client import Es9Client, HttpAnswer
from kswifi.servers.rsp.json_binding import BODY_LIMIT_OCTETS, PROTOCOL
from tests.support.clocks import ManualClock
from tests.support.smdp import ADDRESS, NOW, PROFILE, RunningSmdp, authenticated, client_context, running_smdp

FUNCTIONS = (
    "initiateAuthentication",
    "authenticateClient",
    "getBoundProfilePackage",
    "handleNotification",
    "cancelSession",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), clock=ManualClock(NOW)) as running:
        running.client()
        yield running


def clean(answer: HttpAnswer) -> str | None:
    """See that an answer is one of this protocol; return its codes."""
    assert answer.headers["x-admin-protocol"].startswith("gsma/rsp/v2.")
    assert b"Traceback" not in answer.body
    if answer.status == 204:
        assert answer.body == b""
        return None
    assert answer.headers["content-type"] == "application/json"
    return answer.codes


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", "1.3.1/2.1"),
        (b"no json", "1.3.1/2.1"),
        (b"[]", "1.3.1/2.1"),
        (b"{}", "1.3.1/2.2"),
        (b"[" * 20_000, "1.3.1/2.1"),
        (b'{"\xff": 1}', "1.3.1/2."),
        (b'{"smdpAddress": "a\\u0000b", "transactionId": "00\\u0000"}', "1.3.1/2.1"),
        (b'{"transactionId": 7, "smdpAddress": [], "euiccChallenge": "!", "pendingNotification": "!"}', "1.3.1/2."),
    ],
)
def test_what_is_no_request_is_a_clean_400(server: RunningSmdp, function: str, body: bytes, codes: str) -> None:
    answer = server.clients[0].post(function, body)
    assert answer.status == 400
    assert (clean(answer) or "").startswith(codes)


def test_http_refusals_carry_the_header_element_too(server: RunningSmdp) -> None:
    client = server.clients[0]
    assert clean(client.post("initiateAuthentication", b" " * (BODY_LIMIT_OCTETS + 1))) == "1.3.1/2.1"
    long_body = client.post("initiateAuthentication", b" " * (BODY_LIMIT_OCTETS + 1))
    media_type = client.post("initiateAuthentication", b"{}", {"Content-Type": "text/plain"})
    unknown_function = client.post("noSuchFunction", b"{}")
    assert [each.status for each in (long_body, media_type, unknown_function)] == [413, 415, 404]
    assert {clean(long_body), clean(media_type), clean(unknown_function)} == {"1.3.1/2.1"}


@pytest.mark.parametrize("version", ["gsma/rsp/v2.0.0", "gsma/rsp/v2.6", "GSMA/RSP/v3.1.0", "gsma/rsp/v3.0.0"])
def test_every_client_that_can_take_version_2_is_answered_in_ours(server: RunningSmdp, version: str) -> None:
    answer = initiate_as(server, version)
    assert (answer.status, clean(answer)) == (200, None)
    assert answer.headers["x-admin-protocol"] == PROTOCOL


@pytest.mark.parametrize(
    "version", ["gsma/rsp/v1.0.0", "gsma/rsp/v4.0.0", "v2.2.0", "gsma/rsp/v2", "gsma/rsp/v3.x"]
)
def test_another_protocol_is_refused_with_the_version_of_ours(server: RunningSmdp, version: str) -> None:
    answer = initiate_as(server, version)
    assert (answer.status, clean(answer)) == (200, "1.3.2/3.1")
    assert answer.headers["x-admin-protocol"] == PROTOCOL


def initiate_as(server: RunningSmdp, version: str) -> HttpAnswer:
    card = server.card()
    body = {
        "euiccChallenge": base64.b64encode(card.challenge()).decode(),
        "euiccInfo1": base64.b64encode(card.info1()).decode(),
        "smdpAddress": ADDRESS,
    }
    return server.clients[0].post("initiateAuthentication", body, {"X-Admin-Protocol": version})


def test_malformed_der_is_a_function_error(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    junk = {"transactionId": walk.transaction_id, "authenticateServerResponse": base64.b64encode(b"junk").decode()}
    answer = walk.client.post("authenticateClient", junk)
    assert (answer.status, clean(answer)) == (200, "1.3.1/2.1")
    challenge = {"euiccChallenge": "AA==", "euiccInfo1": base64.b64encode(walk.card.info1()).decode()}
    answer = walk.client.post("initiateAuthentication", {**challenge, "smdpAddress": walk.address})
    assert (answer.status, clean(answer)) == (200, "1.3.1/2.1")
    answer = walk.client.post("handleNotification", {"pendingNotification": "AAAA"})
    assert (answer.status, clean(answer)) == (400, "1.3.1/2.1")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FUNCTIONS),
    st.dictionaries(
        st.sampled_from(
            ["transactionId", "euiccChallenge", "euiccInfo1", "smdpAddress", "pendingNotification",
             "authenticateServerResponse", "prepareDownloadResponse", "cancelSessionResponse", "x"]
        ),
        st.one_of(
            st.binary(max_size=60).map(lambda octets: base64.b64encode(octets).decode()),
            st.text(max_size=20), st.integers(), st.none(), st.lists(st.integers(), max_size=3),
        ),
    ),
)  # fmt: skip
def test_no_json_object_brings_it_down(server: RunningSmdp, function: str, body: dict[str, object]) -> None:
    answer = server.clients[0].post(function, json.dumps(body).encode())
    assert answer.status in (200, 204, 400)
    clean(answer)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_broken_answer_of_a_card_brings_it_down(server: RunningSmdp, data: st.DataObject) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    response = bytearray(walk.authenticate_response())
    at = data.draw(st.integers(0, len(response) - 1))
    response[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.one_of(st.just(len(response)), st.integers(0, len(response))))
    body = {
        "transactionId": walk.transaction_id,
        "authenticateServerResponse": base64.b64encode(response[:cut]).decode(),
    }
    answer = walk.client.post("authenticateClient", body)
    assert answer.status == 200
    assert clean(answer) is not None  # every flipped bit is refused


def test_tls_before_1_2_and_strangers_are_refused(server: RunningSmdp) -> None:
    context = client_context(server.pki)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = server.smdp.server.tls
    assert old is not None
    assert old.minimum_version is ssl.TLSVersion.TLSv1_2
    stranger = Es9Client(("127.0.0.1", server.smdp.port), context, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.post("initiateAuthentication", b"{}")


def test_nothing_secret_is_logged(
    server: RunningSmdp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    walk = authenticated(server, PROFILE)
    walk.get_package()
    walk.notify(walk.install_result(server.oid))
    walk.client.post("handleNotification", b"{")
    said = caplog.text + "".join(capfd.readouterr())
    keys = [each.private_key for each in server.pki.certificates if each.private_key is not None]
    secrets = [key.private_numbers().private_value.to_bytes(32, "big").hex() for key in keys]
    assert len(secrets) == 12
    assert "profile_installed" in said
    assert not [secret for secret in secrets if secret in said]
    assert "PRIVATE" not in said


@pytest.mark.parametrize("path", [b"/gsma/rsp2/es9plus/initiateAuthentication", b"/nothing", b"/gsma/rsp2/asn1"])
def test_no_browser_guesses_the_type_of_an_answer(server: RunningSmdp, path: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.smdp.port), timeout=10) as plain:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as tls:
            tls.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            head = b"".join(iter(lambda: tls.recv(4096), b"")).partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nx-content-type-options: nosniff" in head
