"""ES9+ over TLS: the whole road, initiateAuthentication and authenticateClient, row by row with their codes."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Download
from kswifi.bench.light_card import LightCard
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.kernel.numbers import Eid
from kswifi.rsp import binding, pki_making, signatures, tlv
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.authentication import (
    AuthenticateResponseError,
    AuthenticateResponseOk,
    decode_authenticate_server_response,
)
from kswifi.rsp.messages.euicc_info import EuiccInfo1
from tests.support.clocks import ManualClock
from tests.support.smdp import (
    ADDRESS,
    NOW,
    PROFILE,
    READY,
    RULES,
    SGP26,
    TS48,
    RunningSmdp,
    authenticated,
    made_card,
    order,
    order_now,
    refused,
    running_smdp,
)

CODE = signatures.confirmation_code_digest("4711")
OTHER_EID = Eid.with_check_digits("890490320000000000000000000099")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), rules=RULES, clock=ManualClock(NOW)) as running:
        yield running


@pytest.fixture(scope="module", params=["own", "own brainpool", "SGP.26", "SGP.26 brainpool"])
def any_card(
    request: pytest.FixtureRequest, server: RunningSmdp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningSmdp, LightCard]]:
    curve = Curve.BRAINPOOL_P256R1 if "brainpool" in request.param else Curve.NIST_P256
    if request.param.startswith("own"):
        yield server, server.card(curve)
        return
    with running_smdp(tmp_path_factory.mktemp("sgp26"), pki_dir=SGP26, clock=ManualClock(NOW)) as running:
        yield running, running.card(curve)


# --- the whole road


def test_a_whole_download_on_every_pki_and_curve(any_card: tuple[RunningSmdp, LightCard]) -> None:
    server, card = any_card
    placed = order(server)
    walk = authenticated(server, placed, card=card)
    assert walk.initiated is not None
    assert walk.initiated["header"]["functionExecutionStatus"] == {"status": "Executed-Success"}
    walk.get_package()
    events = walk.open_package()
    assert events[-1] == binding.PackageComplete()
    octets = b"".join(event.octets for event in events if isinstance(event, binding.ProfileOctets))
    assert octets == (TS48 / f"{PROFILE}.der").read_bytes()
    assert order_now(server, placed).profile_state is ProfileState.DOWNLOADED
    walk.notify(walk.install_result(server.oid))
    done = order_now(server, placed)
    assert (done.profile_state, done.eid, done.sealed_binding) == (ProfileState.INSTALLED, card.eid, None)


def test_packages_of_the_folder_are_orderable_by_their_stem_again_and_again(server: RunningSmdp) -> None:
    for _ in range(2):
        walk = authenticated(server, PROFILE)
        walk.get_package()
        walk.open_package()
        walk.notify(walk.install_result(server.oid))
    with refused("8.2.6/3.8"):
        authenticated(server, "no-such-package")


# --- initiateAuthentication


def initiate(server: RunningSmdp, address: str = ADDRESS, info1: bytes | None = None) -> str | None:
    card = server.card()
    with server.client() as client:
        return client.post(
            "initiateAuthentication",
            {
                "euiccChallenge": base64.b64encode(card.challenge()).decode(),
                "euiccInfo1": base64.b64encode(info1 or card.info1()).decode(),
                "smdpAddress": address,
            },
        ).codes


def test_initiate_authentication(server: RunningSmdp) -> None:
    key = server.card().identity.issuer_key_id
    assert initiate(server, ADDRESS.upper()) is None
    assert initiate(server, "other.example") == "8.8.1/3.8"
    assert initiate(server, info1=EuiccInfo1.build((2, 2, 2), [key], [bytes(20)]).raw) == "8.8.2/3.1"
    assert initiate(server, info1=EuiccInfo1.build((1, 9, 9), [key], [key]).raw) == "8.8.3/3.1"
    assert initiate(server, info1=EuiccInfo1.build((3, 0, 0), [key], [key]).raw) == "8.8.3/3.1"
    assert initiate(server, info1=EuiccInfo1.build((2, 2, 2), [bytes(20)], [key]).raw) == "8.8.4/3.7"


def test_transactions_are_unique_and_challenges_fresh(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    seen = set()
    for _ in range(20):
        walk.initiate()
        assert walk.initiated is not None
        signed = tlv.children(tlv.read(base64.b64decode(walk.initiated["serverSigned1"]))[0].value)
        seen |= {walk.transaction_id, signed[0x84].value.hex()}
    assert len(seen) == 40


# --- authenticateClient


def answer_of(walk: Download) -> AuthenticateResponseOk:
    answer = decode_authenticate_server_response(walk.authenticate_response())
    assert isinstance(answer, AuthenticateResponseOk)
    return answer


def test_unknown_transactions_and_ones_that_differ(server: RunningSmdp) -> None:
    one, other = server.download(PROFILE), server.download(PROFILE)
    one.initiate()
    other.initiate()
    response = one.authenticate_response()
    for wrong in (other.transaction_id, "00" * 16, "", "no hex", "AB" * 40):
        with refused("8.10.1/3.9"):
            one.client.call("authenticateClient", transactionId=wrong, authenticateServerResponse=response)
    one.transaction_id = one.transaction_id.lower()  # compared as octets
    one.authenticate(response)


def test_certificates_of_the_card(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    good = answer_of(walk)
    eum, euicc = good.eum_certificate, good.euicc_certificate
    with refused("8.1.2/6.1"):
        walk.authenticate(replace(good, eum_certificate=eum[:-1] + bytes([eum[-1] ^ 1])).encode())
    with refused("8.1.3/6.1"):
        walk.authenticate(replace(good, euicc_certificate=euicc[:-1] + bytes([euicc[-1] ^ 1])).encode())
    with refused("8.1/6.1"):
        walk.authenticate(replace(good, euicc_signature1=bytes(range(64))).encode())
    walk.authenticate(good.encode())


def test_expired_unknown_and_out_of_range_cards(server: RunningSmdp, tmp_path: Path) -> None:
    long_ago = NOW - timedelta(days=3650)
    good = Eid.with_check_digits("890490320000000000000000000077")
    authenticated(server, PROFILE, card=made_card(server, NOW, good))
    expired = made_card(server, long_ago, good, eum=NOW - timedelta(days=1))
    with refused("8.1.2/6.3"):
        authenticated(server, PROFILE, card=expired)
    outside = made_card(server, NOW, Eid.with_check_digits("890440320000000000000000000077"))
    with refused("8.1.3/6.1"):
        authenticated(server, PROFILE, card=outside)
    with running_smdp(tmp_path, clock=ManualClock(NOW)) as stranger:
        card = stranger.card()
        card = LightCard(
            replace(card.identity, issuer_key_id=server.card().identity.issuer_key_id), server.pki.trust()
        )
        with refused("8.11.1/3.9"):
            authenticated(server, PROFILE, card=card)


def test_an_expired_card_certificate(server: RunningSmdp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pki_making, "_NEVER", NOW - timedelta(days=1))
    card = made_card(server, NOW - timedelta(days=30), Eid.with_check_digits("890490320000000000000000000078"))
    with refused("8.1.3/6.3"):
        authenticated(server, PROFILE, card=card)


def test_orders_that_a_card_may_not_have(server: RunningSmdp) -> None:
    with refused("8.2.6/3.8"):
        authenticated(server, "NO-SUCH-MATCHING-ID")
    with refused("8.1.1/3.8"):
        authenticated(server, order(server, eid=OTHER_EID))
    for events in ((ProfileEvent.ALLOCATE,), (ProfileEvent.LINK,), (ProfileEvent.LINK, ProfileEvent.CONFIRM)):
        with refused("8.2/1.2"):
            authenticated(server, order(server, *events))
    with refused("8.8.5/4.10"):
        authenticated(server, order(server, expires_at=NOW))
    authenticated(server, order(server, expires_at=NOW + timedelta(seconds=1)))
    for ended in ((*READY, ProfileEvent.WITHDRAW), (*READY, ProfileEvent.DOWNLOAD, ProfileEvent.INSTALL),
                  (*READY, ProfileEvent.FAIL)):  # fmt: skip
        with refused("8.2.6/3.8"):
            authenticated(server, order(server, *ended))


def test_cards_that_cannot_take_the_profile(server: RunningSmdp) -> None:
    placed = order(server)
    with refused("8.2.5/4.3"):
        authenticated(server, placed, card=server.card(capabilities=()))
    with refused("8.1/4.8"):
        authenticated(server, placed, card=server.card(free_octets=100))
    authenticated(server, placed)


@pytest.mark.parametrize("matching_id", [None, ""])
def test_without_a_matching_id_the_order_that_waits_for_the_card(
    server: RunningSmdp, matching_id: str | None
) -> None:
    last = "00" if matching_id is None else "01"
    card = made_card(server, NOW, Eid.with_check_digits("8904903200000000000000000001" + last))
    with refused("8.2.6/3.8"):
        authenticated(server, matching_id, card=card)
    placed = order(server, eid=card.eid)
    walk = authenticated(server, matching_id, card=card)
    walk.get_package()
    assert order_now(server, placed).profile_state is ProfileState.DOWNLOADED


def test_unknown_extension_fields_are_tolerated(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    good = answer_of(walk)
    signed = good.euicc_signed1
    more = tlv.only(signed.raw, 0x30).value + tlv.encode(0xBF7F, b"\x80\x01\x00") + tlv.encode(0x9F7E, b"new")
    raw = tlv.encode(0x30, more)
    walk.authenticate(
        replace(good, euicc_signed1=replace(signed, raw=raw), euicc_signature1=walk.card.sign(raw)).encode()
    )
    answer = walk.client.post(
        "cancelSession", {"transactionId": "00", "cancelSessionResponse": "", "more": [1, {}]}
    )
    assert answer.status == 200


def test_a_card_that_refuses_the_server_is_an_answer(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    error = AuthenticateResponseError(bytes.fromhex(walk.transaction_id), 2)
    with refused("8.1/4.2"):
        walk.authenticate(error.encode())


def test_authenticate_client_again_is_the_same_answer(server: RunningSmdp) -> None:
    walk = server.download(PROFILE)
    walk.initiate()
    response = walk.authenticate_response()
    walk.authenticate(response)
    first = walk.offered
    walk.authenticate(response)
    assert walk.offered == first
    with refused("8.10.1/3.9"):
        walk.authenticate()  # another signature over the same transaction
