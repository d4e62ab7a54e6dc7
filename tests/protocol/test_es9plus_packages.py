"""ES9+ over TLS: getBoundProfilePackage and cancelSession, row by row with their codes."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Download
from kswifi.esim.model import ProfileState
from kswifi.esim.smdp.rsp_model import SmdpRules
from kswifi.kernel.numbers import Eid
from kswifi.rsp import binding, curves, signatures, tlv
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.bound_profile_package import TAG_88, TAG_SECOND_87
from kswifi.rsp.messages.download import CancelReason, PrepareDownloadError
from tests.support.clocks import ManualClock
from tests.support.smdp import (
    NOW,
    PROFILE,
    RULES,
    TS48,
    RunningSmdp,
    authenticated,
    offered_otpk,
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


# --- getBoundProfilePackage


def test_signature_and_transaction_of_the_one_time_key(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    response = walk.prepare_response()
    with refused("8.1/6.1"):
        walk.get_package(response[:-1] + bytes([response[-1] ^ 1]))
    other = authenticated(server, placed)
    with refused("8.10.1/3.9"):
        other.get_package(response)
    with refused("8.10.1/3.9"):
        server.download(None).client.call(
            "getBoundProfilePackage", transactionId="00" * 16, prepareDownloadResponse=response
        )
    assert order_now(server, placed).downloads == 0
    walk.get_package(response)


def test_confirmation_codes(server: RunningSmdp) -> None:
    placed = order(server, confirmation_code_digest=CODE)
    walk = authenticated(server, placed)
    with refused("8.2.7/2.2"):
        walk.get_package()
    for _ in range(2):
        walk.code_digest = bytes(32)
        with refused("8.2.7/3.8"):
            walk.get_package()
    walk.code_digest = CODE
    walk.get_package()
    walk.open_package()

    placed = order(server, confirmation_code_digest=CODE)
    walk = authenticated(server, placed, code=bytes(32))
    for codes in ("8.2.7/3.8", "8.2.7/3.8", "8.2.7/6.4"):
        with refused(codes):
            walk.get_package()
    assert order_now(server, placed).profile_state is ProfileState.ERROR
    with refused("8.2.7/6.4"):
        authenticated(server, placed, code=CODE)


def test_a_retry_with_the_same_one_time_key_gets_the_same_segments(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    assert not offered_otpk(walk)
    walk.get_package()
    first = walk.package
    again = authenticated(server, placed, card=walk.card)
    assert offered_otpk(again)
    again.get_package()
    again.open_package()
    assert parts(again.package)[1:] == parts(first)[1:]
    assert parts(again.package)[0] != parts(first)[0]  # another transaction, signed anew
    assert order_now(server, placed).downloads == 1


def test_another_one_time_key_is_bound_again_until_it_is_too_often(server: RunningSmdp) -> None:
    placed = order(server)
    packages = []
    waiting = []
    for _ in range(RULES.downloads + 1):
        card = server.card()
        waiting.append(authenticated(server, placed, card=card))
    for walk in waiting[:-1]:
        walk.get_package()
        walk.open_package()
        packages.append(walk.package)
    assert len({part for package in packages for part in parts(package)[1:]}) >= 2 * RULES.downloads
    with refused("8.2/3.7"):
        waiting[-1].get_package()
    with refused("8.8.5/6.4"):
        authenticated(server, placed)


def test_the_same_request_again_is_the_same_binding(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    response = walk.prepare_response()
    walk.get_package(response)
    first = walk.package
    walk.get_package(response)
    assert parts(walk.package)[1:] == parts(first)[1:]
    walk.open_package()
    assert order_now(server, placed).downloads == 1


def parts(package: bytes) -> list[bytes]:
    """Return BF23, A0, A1, A2 and A3 of a package."""
    return [item.raw for item in tlv.walk(tlv.only(package, 0xBF36).value)]


def test_session_key_mode_and_metadata_over_several_segments(tmp_path: Path) -> None:
    stock = tmp_path / "profiles"
    stock.mkdir()
    (stock / "iconic.der").write_bytes((TS48 / f"{PROFILE}.der").read_bytes())
    (stock / "iconic.png").write_bytes(bytes(1024))
    (stock / "broken.der").write_bytes(b"\x30\x03\x02\x01\x00")
    rules = SmdpRules(random_protection_keys=False)
    with running_smdp(tmp_path / "data", profiles_dir=stock, rules=rules) as server:
        walk = authenticated(server, "iconic")
        walk.get_package()
        items = {item.tag: item for item in tlv.walk(tlv.only(walk.package, 0xBF36).value)}
        assert TAG_SECOND_87 not in items
        assert len(list(tlv.walk(items[TAG_88].value))) == 2
        stored = next(e for e in walk.open_package() if isinstance(e, binding.MetadataStored))
        assert walk.metadata.icon == bytes(1024)
        assert walk.offered is not None
        assert stored.request == base64.b64decode(walk.offered["profileMetadata"])
        with refused("8.2.6/3.8"):
            authenticated(server, "broken")


def test_a_card_that_prepares_no_download(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    with refused("8.1/4.2"):
        walk.get_package(PrepareDownloadError(bytes.fromhex(walk.transaction_id), 2).encode())
    with refused("8.10.1/3.9"):
        walk.get_package()
    authenticated(server, placed).get_package()


def test_a_one_time_key_that_is_no_point_changes_nothing(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    walk.card.one_time_key = curves.new_key(Curve.BRAINPOOL_P256R1)
    answer = walk.card
    from kswifi.rsp.messages.download import (
        EuiccSigned2,
        PrepareDownloadOk,
        SmdpSigned2,
        euicc_signed2_octets,
    )

    assert walk.offered is not None
    signature = tlv.read(base64.b64decode(walk.offered["smdpSignature2"]))[0].value
    tid = SmdpSigned2.decode(base64.b64decode(walk.offered["smdpSigned2"])).transaction_id
    signed = EuiccSigned2.build(
        transaction_id=tid, euicc_otpk=curves.point_octets(walk.card.one_time_key), hash_cc=None
    )
    response = PrepareDownloadOk(signed, answer.sign(euicc_signed2_octets(signed, signature))).encode()
    with refused("1.3.1/2.1"):
        walk.get_package(response)
    assert (order_now(server, placed).profile_state, order_now(server, placed).downloads) == (
        ProfileState.RELEASED,
        0,
    )
    answer.one_time_key = None
    walk.get_package()


# --- cancelSession


def cancel(walk: Download, response: bytes) -> None:
    walk.client.call("cancelSession", transactionId=walk.transaction_id, cancelSessionResponse=response)


def test_cancellations_are_checked(server: RunningSmdp) -> None:
    walk = authenticated(server, order(server))
    tid = bytes.fromhex(walk.transaction_id)
    good = walk.card.cancellation(tid, server.oid, CancelReason.POSTPONED)
    with refused("8.10.1/3.9"):
        walk.client.call("cancelSession", transactionId="00" * 16, cancelSessionResponse=good.encode())
    with refused("8.10.1/3.9"):
        cancel(walk, walk.card.cancellation(bytes(16), server.oid, 1).encode())
    with refused("8.1/6.1"):
        cancel(walk, replace(good, signature=bytes(range(64))).encode())
    with refused("8.8/3.10"):
        cancel(walk, walk.card.cancellation(tid, "2.999.77", 1).encode())
    for _ in range(2):  # the same again is no error
        cancel(walk, good.encode())
    with refused("8.10.1/3.9"):
        walk.get_package()


@pytest.mark.parametrize("reason", list(CancelReason))
@pytest.mark.parametrize("bound", [False, True])
def test_postponed_and_timeout_keep_the_order_and_the_rest_ends_it(
    server: RunningSmdp, reason: CancelReason, bound: bool
) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    if bound:
        walk.get_package()
    cancel(walk, walk.card.cancellation(bytes.fromhex(walk.transaction_id), server.oid, reason).encode())
    if reason in (CancelReason.POSTPONED, CancelReason.TIMEOUT):
        authenticated(server, placed).get_package()
    else:
        assert order_now(server, placed).profile_state is ProfileState.ERROR
        with refused("8.2.6/3.8"):
            authenticated(server, placed)
