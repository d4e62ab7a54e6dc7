"""ES9+ by both bindings of SGP.22, JSON and ASN.1: one contract, one SM-DP+ behind them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from kswifi.esim.model import ProfileState
from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import credentials_of_pki
from kswifi.kernel.clock import SystemClock
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import Es9RefusedError, HttpEs9
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa
from kswifi.rsp import signatures
from kswifi.rsp.messages.download import CancelSessionError
from kswifi.rsp.messages.euicc_info import EuiccInfo1
from kswifi.rsp.status_codes import Status
from kswifi.servers.rsp.asn1_binding import ERROR_CODES
from kswifi.servers.rsp.json_binding import BODY_LIMIT_OCTETS
from tests.support.es9_asn1 import MEDIA_TYPE, Asn1Es9, Asn1FailedError
from tests.support.memory_storage import MemoryStorage
from tests.support.smdp import ADDRESS, PROFILE, RunningSmdp, client_context, order, order_now, running_smdp

S = ProfileState
Binding = Callable[[RunningSmdp], AbstractContextManager[Any]]


def json_binding(server: RunningSmdp) -> HttpEs9:
    return HttpEs9(client_context(server.pki), f"127.0.0.1:{server.smdp.port}")


def asn1_binding(server: RunningSmdp) -> Asn1Es9:
    return Asn1Es9(client_context(server.pki), f"127.0.0.1:{server.smdp.port}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), clock=SystemClock()) as running:
        yield running


@pytest.fixture(params=[json_binding, asn1_binding], ids=["json", "asn1"])
def es9(request: pytest.FixtureRequest, server: RunningSmdp) -> Iterator[Any]:
    binding: Binding = request.param
    with binding(server) as opened:
        yield opened


def new_card(server: RunningSmdp) -> Euicc:
    credentials = credentials_of_pki(server.pki)
    return Euicc.create(MemoryStorage(), credentials.eid, credentials=credentials)


def test_a_whole_download_with_its_notifications(server: RunningSmdp, es9: Any) -> None:
    placed, card = order(server), new_card(server)
    lpa = Lpa(card, es9)
    got = lpa.download(ActivationCode(ADDRESS, placed.matching_id or ""))
    assert order_now(server, placed).profile_state is S.DOWNLOADED
    assert [done.failure for done in lpa.process_notifications()] == [None]
    assert order_now(server, placed).profile_state is S.INSTALLED
    with Es10(card) as es10:
        es10.enable(_profile(got.iccid.to_bytes()))
    assert [done.failure for done in lpa.process_notifications()] == [None]


def _profile(iccid: bytes) -> Any:
    from kswifi.rsp.messages.profiles import ProfileId

    return ProfileId.of_iccid(iccid)


def test_a_cancelled_download_ends_its_order(server: RunningSmdp, es9: Any) -> None:
    placed = order(server)
    with pytest.raises(DownloadRefusedError, match="declined"):
        Lpa(new_card(server), es9).download(
            ActivationCode(ADDRESS, placed.matching_id or ""), agree=lambda _: False
        )
    assert order_now(server, placed).profile_state is S.ERROR


def refused(status: Status, tag: int) -> "pytest.RaisesExc[Exception]":
    """Expect a function to be refused with a status: its codes in JSON, its number in ASN.1."""

    def same(error: Exception) -> bool:
        if isinstance(error, Es9RefusedError):
            return (error.subject_code, error.reason_code) == (status.subject_code, status.reason_code)
        return isinstance(error, Asn1FailedError) and error.code == ERROR_CODES[tag].get(status, 127)

    return pytest.RaisesExc((Es9RefusedError, Asn1FailedError), check=same)


def test_initiate_authentication_is_refused_alike(server: RunningSmdp, es9: Any) -> None:
    card = server.card()
    key = card.identity.issuer_key_id
    for info1, status in (
        (EuiccInfo1.build((1, 9, 9), [key], [key]).raw, Status.SVN_UNSUPPORTED),
        (EuiccInfo1.build((2, 2, 2), [key], [bytes(20)]).raw, Status.CI_KEY_UNSUPPORTED),
        (EuiccInfo1.build((2, 2, 2), [bytes(20)], [key]).raw, Status.NO_CERTIFICATE_FOR_CI),
    ):
        with refused(status, 0xBF39):
            es9.initiate_authentication(ADDRESS, card.challenge(), info1)


def test_authenticate_client_is_refused_alike(server: RunningSmdp, es9: Any) -> None:
    unreleased = order(server, *())  # released, for the transaction that is walked below
    code = ActivationCode(ADDRESS, "NO-SUCH-ORDER")
    with refused(Status.MATCHING_ID_REFUSED, 0xBF3B):
        Lpa(new_card(server), es9).download(code)
    card = server.card()
    begun = es9.initiate_authentication(ADDRESS, card.challenge(), card.info1())
    signature = begun.server_signature1[3:]
    good = card.authenticate(begun.server_signed1, signature, begun.server_certificate, unreleased.matching_id)
    with refused(Status.TRANSACTION_UNKNOWN, 0xBF3B):
        es9.authenticate_client(ADDRESS, bytes(16), good.encode())
    with refused(Status.EUICC_SIGNATURE_INVALID, 0xBF3B):
        forged = card.authenticate(begun.server_signed1, signature, begun.server_certificate, "X").encode()
        es9.authenticate_client(ADDRESS, begun.transaction_id, forged.replace(b"\x80\x01X", b"\x80\x01Y"))
    card.free_octets = 1
    poor = card.authenticate(begun.server_signed1, signature, begun.server_certificate, unreleased.matching_id)
    with refused(Status.NO_MEMORY, 0xBF3B):
        es9.authenticate_client(ADDRESS, begun.transaction_id, poor.encode())


def test_a_wrong_confirmation_code_is_refused_alike(server: RunningSmdp, es9: Any) -> None:
    placed = order(server, confirmation_code_digest=signatures.confirmation_code_digest("4711"))
    code = ActivationCode(ADDRESS, placed.matching_id or "")
    with refused(Status.CONFIRMATION_CODE_REFUSED, 0xBF3A):
        Lpa(new_card(server), es9).download(code, "0815")
    assert Lpa(new_card(server), es9).download(code, "4711").iccid


def test_a_cancellation_of_nothing_is_refused_alike(es9: Any) -> None:
    with refused(Status.TRANSACTION_UNKNOWN, 0xBF41):
        es9.cancel_session(ADDRESS, bytes(16), CancelSessionError(5).encode())
    with refused(Status.TRANSACTION_UNKNOWN, 0xBF3A):
        es9.get_bound_profile_package(ADDRESS, bytes(16), _no_preparation())


def _no_preparation() -> bytes:
    from kswifi.rsp.messages.download import PrepareDownloadError

    return PrepareDownloadError(bytes(16), 127).encode()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"\xa2\x00", {}, 400),
        (b"{}", {}, 400),
        (bytes.fromhex("a205bf3d02a000"), {}, 400),
        (b"\xa2" * (BODY_LIMIT_OCTETS + 1), {}, 413),
        (b"\xa2\x00", {"Content-Type": "application/json"}, 415),
    ],
)
def test_what_is_no_request_in_asn1_is_refused_by_its_http_status(
    server: RunningSmdp, body: bytes, headers: dict[str, str], status: int
) -> None:
    with asn1_binding(server) as client:
        answer = client.post(ADDRESS, body, **headers)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers["X-Admin-Protocol"].startswith("gsma/rsp/v2.")


def test_versions_and_parameters_of_the_media_type(server: RunningSmdp) -> None:
    from kswifi.rsp.messages import es9plus

    card = server.card()
    asked = es9plus.InitiateAuthenticationRequest(card.challenge(), ADDRESS, card.info1())
    body = es9plus.encode_request(asked)
    with asn1_binding(server) as client:
        newer = client.post(ADDRESS, body, **{"X-Admin-Protocol": "gsma/rsp/v3.1.0"})
        older = client.post(ADDRESS, body, **{"X-Admin-Protocol": "gsma/rsp/v1.0.0"})
        typed = client.post(ADDRESS, body, **{"Content-Type": f"{MEDIA_TYPE}; charset=utf-8"})
    assert not isinstance(es9plus.decode_response(newer.content, asked.tag), int)
    assert es9plus.decode_response(older.content, asked.tag) == es9plus.UNDEFINED_ERROR
    assert typed.status_code == 200


def test_a_package_of_the_folder_is_offered_by_both(server: RunningSmdp, es9: Any) -> None:
    assert Lpa(new_card(server), es9).download(ActivationCode(ADDRESS, PROFILE)).iccid == "89000123456789012341"
