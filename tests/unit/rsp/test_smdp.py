"""The functions of ES9+ as pure functions, against a small card of this test's own."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from kswifi.kernel.numbers import Eid
from kswifi.rsp import binding, bsp, curves, pki, pki_making, signatures, smdp
from kswifi.rsp.curves import Curve
from kswifi.rsp.errors import RspDecodeError, SignatureRefusedError
from kswifi.rsp.messages import authentication, download, euicc_info, notifications
from kswifi.rsp.messages import bound_profile_package as bpp
from kswifi.rsp.messages.metadata import NotificationEvent, ProfileMetadata
from kswifi.rsp.status_codes import RspRefusedError, Status
from tests.support.rsp import check_authenticate_client

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SGP26: Final = Path(__file__).parents[2] / "data" / "sgp26"
EID: Final = Eid.with_check_digits("890490320000000000000000000001")
ICCID: Final = bytes.fromhex("98001032547698103214")
ADDRESS: Final = "rsp.kswifi.example"
TID: Final = bytes(range(16))
SIGNATURE1: Final = bytes(64)
CODE: Final = signatures.confirmation_code_digest("4711")

GSMA: Final = pki.load_pki({str(p.relative_to(SGP26)): p.read_bytes() for p in SGP26.rglob("*") if p.is_file()})
OWN: Final = pki.load_pki(pki_making.make_pki(pki_making.PkiPlan("KSWiFi", ADDRESS, "89049032"), EID, NOW))

World = tuple[pki.Pki, pki.CardIdentity]


@pytest.fixture(params=[(GSMA, Curve.NIST_P256), (GSMA, Curve.BRAINPOOL_P256R1), (OWN, Curve.NIST_P256),
                        (OWN, Curve.BRAINPOOL_P256R1)], ids=["sgp26", "sgp26 brp", "own", "own brp"])  # fmt: skip
def world(request: pytest.FixtureRequest) -> World:
    source, curve = request.param
    return source, next(card for card in source.card_identities() if card.eum.curve is curve)


OWN_WORLD: Final[World] = (OWN, OWN.card_identities()[1])


def info1(*keys: bytes, svn: tuple[int, int, int] = (2, 2, 2)) -> euicc_info.EuiccInfo1:
    return euicc_info.EuiccInfo1.build(svn, keys, keys)


def begin(world: World) -> smdp.InitiatedAuthentication:
    source, card = world
    return smdp.initiate_authentication(
        euicc_challenge=b"e" * 16, euicc_info1=info1(card.issuer_key_id), requested_address=ADDRESS.upper(),
        own_address=ADDRESS, identities=source.smdp_identities(), trust=source.trust(), transaction_id=TID,
        server_challenge=b"s" * 16,
    )  # fmt: skip


def card_answer(world: World, begun: smdp.InitiatedAuthentication) -> authentication.AuthenticateResponseOk:
    """Do what a card does with AuthenticateServer, once it has checked the server."""
    source, card = world
    server = source.trust().check_server(begun.server_certificate, begun.identity.auth.certificate.role, None)
    signatures.verify(server.public_key, begun.server_signature1, begun.server_signed1.raw)
    info2 = euicc_info.EuiccInfo2.build(
        svn=(2, 2, 2), profile_version=(2, 3, 1), firmware_version=(1, 0, 0),
        resource=euicc_info.ExtCardResource(0, 1_000_000, 10_000), uicc_capability=[1, 4], rsp_capability=[0],
        ci_keys=[card.issuer_key_id], sas_accreditation_number="XX",
    )  # fmt: skip
    ctx = authentication.CtxParams1("MATCHING", b"\x35\x29\x06\x11")
    signed = authentication.EuiccSigned1.build(begun.server_signed1, info2, ctx)
    signature = signatures.sign(card.euicc.key, signed.raw)
    return authentication.AuthenticateResponseOk(signed, signature, card.euicc.certificate.raw, card.eum.raw)


def refused(status: Status) -> "pytest.RaisesExc[RspRefusedError]":
    return pytest.RaisesExc(RspRefusedError, check=lambda error: error.status is status)


def test_a_whole_download_by_pure_functions(world: World) -> None:
    _, card = world
    begun = begin(world)
    answer = check_authenticate_client(
        card_answer(world, begun).encode(), begun=begun, trust=world[0].trust(), at=NOW
    )
    assert isinstance(answer, smdp.AuthenticatedCard)
    assert answer.chain.eid == card.euicc.certificate.eid
    assert answer.signed.ctx_params1.matching_id == "MATCHING"

    prepared = smdp.prepare_download(begun.identity, TID, euicc_signature1=SIGNATURE1, cc_required=True)
    card_key = curves.new_key(card.eum.curve)
    response = prepare_answer(world, prepared, curves.point_octets(card_key), signatures.hash_cc(CODE, TID))
    signed2 = smdp.check_prepare_download(
        response, prepared=prepared, card_key=answer.chain.euicc.public_key, confirmation_code_digest=CODE
    )
    assert isinstance(signed2, download.EuiccSigned2)

    eid = bytes.fromhex(answer.chain.eid)
    pb = world[0].trust().check_server(prepared.smdp_certificate, begun.identity.pb.certificate.role, None)
    package = binding.bind_profile(
        b"a profile" * 1000, ProfileMetadata(ICCID, "KSWiFi", "one").encode(),
        card=binding.CardBinding(TID, eid, signed2.euicc_otpk, b"smdp"),
        one_time_key=curves.new_key(card.eum.curve),
        signing_key=begun.identity.pb.key, protection_keys=bsp.new_profile_protection_keys(bytes),
    )  # fmt: skip
    opener = binding.PackageOpener(binding.CardSecrets(TID, eid, card_key, pb.public_key))
    events = [event for unit in bpp.units(package) for event in opener.feed(unit)]
    assert events[-1] == binding.PackageComplete()

    result = install_result(world)
    data = smdp.check_install_result(
        notifications.InstallResult.decode(result), transaction_id=TID, iccid=ICCID,
        card_key=answer.chain.euicc.public_key,
    )  # fmt: skip
    assert isinstance(data.final_result, notifications.InstallSuccess)


def prepare_answer(world: World, prepared: smdp.PreparedDownload, otpk: bytes, code: bytes | None) -> bytes:
    signed = download.EuiccSigned2.build(transaction_id=TID, euicc_otpk=otpk, hash_cc=code)
    octets = download.euicc_signed2_octets(signed, prepared.smdp_signature2)
    return download.PrepareDownloadOk(signed, signatures.sign(world[1].euicc.key, octets)).encode()


def install_result(world: World, tid: bytes = TID, iccid: bytes = ICCID) -> bytes:
    note = notifications.NotificationMetadata.build(
        sequence_number=1, event=NotificationEvent.INSTALL, address=ADDRESS, iccid=iccid
    )
    data = notifications.InstallResultData.build(
        transaction_id=tid, notification=note, smdp_oid="2.999.10",
        final_result=notifications.InstallSuccess(bytes(16), b"\x30\x00"),
    )  # fmt: skip
    return notifications.InstallResult(data, signatures.sign(world[1].euicc.key, data.raw)).encode()


def test_initiate_authentication_refuses_what_does_not_fit() -> None:
    source, card = OWN_WORLD

    def start(address: str, info: euicc_info.EuiccInfo1, identities: tuple[pki.SmdpIdentity, ...]) -> None:
        smdp.initiate_authentication(
            euicc_challenge=b"e" * 16, euicc_info1=info, requested_address=address, own_address=ADDRESS,
            identities=identities, trust=source.trust(), transaction_id=TID, server_challenge=b"s" * 16,
        )  # fmt: skip

    good, identities = info1(card.issuer_key_id), source.smdp_identities()
    start(ADDRESS, good, identities)
    with refused(Status.SMDP_ADDRESS_INVALID):
        start("other.example", good, identities)
    for svn in ((1, 9, 9), (3, 0, 0)):
        with refused(Status.SVN_UNSUPPORTED):
            start(ADDRESS, info1(card.issuer_key_id, svn=svn), identities)
    with refused(Status.CI_KEY_UNSUPPORTED):
        start(ADDRESS, info1(bytes(20)), identities)
    with refused(Status.CI_KEY_UNSUPPORTED):
        start(ADDRESS, info1(), identities)
    with refused(Status.NO_CERTIFICATE_FOR_CI):
        start(ADDRESS, euicc_info.EuiccInfo1.build((2, 2, 2), [bytes(20)], [card.issuer_key_id]), identities)
    with refused(Status.NO_CERTIFICATE_FOR_CI):
        start(ADDRESS, good, ())


def test_the_cards_first_choice_of_ci_is_taken() -> None:
    source, _ = OWN_WORLD
    for keys in (source.trust().issuer_key_ids, source.trust().issuer_key_ids[::-1]):
        begun = smdp.initiate_authentication(
            euicc_challenge=b"e" * 16, euicc_info1=info1(bytes(20), *keys), requested_address=ADDRESS,
            own_address=ADDRESS, identities=source.smdp_identities(), trust=source.trust(), transaction_id=TID,
            server_challenge=b"s" * 16,
        )  # fmt: skip
        assert begun.ci_key_to_be_used == begun.identity.issuer_key_id == keys[0]


def test_authenticate_client_refuses_by_the_right_codes() -> None:
    begun = begin(OWN_WORLD)
    good = card_answer(OWN_WORLD, begun)

    def check(
        answer: authentication.AuthenticateResponseOk | authentication.AuthenticateResponseError,
        source: pki.Pki = OWN,
        at: datetime = NOW,
    ) -> object:
        return check_authenticate_client(answer.encode(), begun=begun, trust=source.trust(), at=at)

    assert check(authentication.AuthenticateResponseError(TID, 6)) == authentication.AuthenticateResponseError(
        TID, 6
    )
    with refused(Status.TRANSACTION_UNKNOWN):
        check(authentication.AuthenticateResponseError(b"other", 6))
    with refused(Status.CI_UNKNOWN):
        check(good, source=GSMA)
    with refused(Status.EUM_CERTIFICATE_EXPIRED):
        check(good, at=NOW.replace(year=2090))
    with refused(Status.CI_UNKNOWN):  # its issuer, an EUM, is looked at before its role
        check(replace(good, eum_certificate=good.euicc_certificate))
    with refused(Status.EUICC_CERTIFICATE_INVALID):
        check(replace(good, euicc_certificate=good.eum_certificate))
    with refused(Status.EUICC_SIGNATURE_INVALID):
        check(replace(good, euicc_signature1=bytes(64)))
    brainpool = next(card for card in OWN.card_identities() if card.issuer_key_id != begun.ci_key_to_be_used)
    with refused(Status.CI_UNKNOWN):
        check(card_answer((OWN, brainpool), begun))


@pytest.mark.parametrize("changed", ["server_challenge", "server_address"])
def test_a_signature_over_another_challenge_or_address_is_refused(changed: str) -> None:
    begun = begin(OWN_WORLD)
    first = begun.server_signed1
    values = {"server_challenge": first.server_challenge, "server_address": first.server_address}
    values[changed] = b"x" * 16 if changed == "server_challenge" else "other.example"
    other = authentication.ServerSigned1.build(
        transaction_id=TID, euicc_challenge=b"e" * 16, server_address=str(values["server_address"]),
        server_challenge=bytes(values["server_challenge"]),  # type: ignore[arg-type]
    )  # fmt: skip
    signature = signatures.sign(begun.identity.auth.key, other.raw)
    answer = card_answer(OWN_WORLD, replace(begun, server_signed1=other, server_signature1=signature))
    with refused(Status.EUICC_SIGNATURE_INVALID):
        check_authenticate_client(answer.encode(), begun=begun, trust=OWN.trust(), at=NOW)


def test_prepare_download_refuses_by_the_right_codes() -> None:
    begun = begin(OWN_WORLD)
    prepared = smdp.prepare_download(
        begun.identity, TID, euicc_signature1=SIGNATURE1, cc_required=True, bpp_euicc_otpk=b"\x04" * 65
    )
    assert prepared.smdp_signed2.bpp_euicc_otpk == b"\x04" * 65
    key = OWN_WORLD[1].euicc.certificate.public_key

    def check(response: bytes, digest: bytes | None = CODE) -> object:
        return smdp.check_prepare_download(
            response, prepared=prepared, card_key=key, confirmation_code_digest=digest
        )

    otpk = b"\x04" + bytes(64)
    with refused(Status.CONFIRMATION_CODE_MISSING):
        check(prepare_answer(OWN_WORLD, prepared, otpk, None))
    with refused(Status.CONFIRMATION_CODE_REFUSED):
        check(prepare_answer(OWN_WORLD, prepared, otpk, bytes(32)))
    with refused(Status.CONFIRMATION_CODE_REFUSED):
        check(prepare_answer(OWN_WORLD, prepared, otpk, CODE))
    check(prepare_answer(OWN_WORLD, prepared, otpk, None), digest=None)
    other = smdp.prepare_download(begun.identity, TID, euicc_signature1=SIGNATURE1, cc_required=True)
    with refused(Status.EUICC_SIGNATURE_INVALID):
        check(prepare_answer(OWN_WORLD, other, otpk, None), digest=None)
    assert check(download.PrepareDownloadError(TID, 5).encode()) == download.PrepareDownloadError(TID, 5)
    with refused(Status.TRANSACTION_UNKNOWN):
        check(download.PrepareDownloadError(b"other", 5).encode())


def test_cancellations_and_notifications_refuse_by_the_right_codes() -> None:
    _, card = OWN_WORLD
    key = card.euicc.certificate.public_key

    def cancellation(oid: str = "2.999.10", tid: bytes = TID) -> download.CancelSessionOk:
        signed = download.CancelSessionSigned.build(transaction_id=tid, smdp_oid=oid, reason=1)
        return download.CancelSessionOk(signed, signatures.sign(card.euicc.key, signed.raw))

    def check(answer: download.CancelSessionOk | download.CancelSessionError) -> object:
        return smdp.check_cancel_session(answer.encode(), transaction_id=TID, smdp_oid="2.999.10", card_key=key)

    assert check(cancellation()) == download.CancelReason.POSTPONED
    assert check(download.CancelSessionError(5)) == download.CancelSessionError(5)
    with refused(Status.SMDP_OID_INVALID):
        check(cancellation(oid="2.999.12"))
    with refused(Status.TRANSACTION_UNKNOWN):
        check(cancellation(tid=b"other"))
    with refused(Status.EUICC_SIGNATURE_INVALID):
        check(replace(cancellation(), signature=bytes(range(64))))

    for result in (install_result(OWN_WORLD, tid=b"other"), install_result(OWN_WORLD, iccid=bytes(10))):
        with refused(Status.TRANSACTION_UNKNOWN):
            smdp.check_install_result(
                notifications.InstallResult.decode(result), transaction_id=TID, iccid=ICCID, card_key=key
            )


def other_notification() -> bytes:
    _, card = OWN_WORLD
    note = notifications.NotificationMetadata.build(
        sequence_number=2, event=NotificationEvent.DELETE, address=ADDRESS, iccid=ICCID
    )
    signature = signatures.sign(card.euicc.key, note.raw)
    return notifications.OtherSignedNotification(note, signature, card.euicc.certificate.raw, card.eum.raw).encode()


def flips(octets: bytes) -> list[bytes]:
    return [octets[:at] + bytes([octets[at] ^ 0x01]) + octets[at + 1 :] for at in range(len(octets))]


def test_flipping_any_octet_of_what_a_card_signed_is_refused() -> None:
    begun = begin(OWN_WORLD)
    trust, key = OWN.trust(), OWN_WORLD[1].euicc.certificate.public_key
    refusals = (RspRefusedError, RspDecodeError)
    for broken in flips(card_answer(OWN_WORLD, begun).encode()):
        with pytest.raises(refusals):
            check_authenticate_client(broken, begun=begun, trust=trust, at=NOW)
    prepared = smdp.prepare_download(begun.identity, TID, euicc_signature1=SIGNATURE1, cc_required=False)
    for broken in flips(prepare_answer(OWN_WORLD, prepared, b"\x04" + bytes(64), None)):
        with pytest.raises(refusals):
            smdp.check_prepare_download(broken, prepared=prepared, card_key=key, confirmation_code_digest=None)
    for broken in flips(install_result(OWN_WORLD)):
        with pytest.raises(refusals):
            check_result(broken)
    check_result(install_result(OWN_WORLD))
    for broken in flips(other_notification()):
        with pytest.raises(refusals):
            check_other(broken)
    assert check_other(other_notification()) == EID


def check_result(octets: bytes) -> None:
    result = notifications.InstallResult.decode(octets)
    key = OWN_WORLD[1].euicc.certificate.public_key
    smdp.check_install_result(result, transaction_id=TID, iccid=ICCID, card_key=key)


def check_other(octets: bytes) -> Eid:
    notification = notifications.OtherSignedNotification.decode(octets)
    return smdp.check_other_notification(notification, trust=OWN.trust(), at=NOW).eid


@pytest.mark.parametrize("curve", list(Curve))
def test_flipping_any_octet_under_a_signature_is_refused(curve: Curve) -> None:
    key = curves.new_key(curve)
    signature = signatures.sign(key, b"what is signed")
    signatures.verify(key.public_key(), signature, b"what is signed")
    for broken in [*flips(signature), b"", signature[:-1], signature + b"\x00", bytes(64)]:
        with pytest.raises(SignatureRefusedError):
            signatures.verify(key.public_key(), broken, b"what is signed")
    for octets in flips(b"what is signed"):
        with pytest.raises(SignatureRefusedError):
            signatures.verify(key.public_key(), signature, octets)


def test_the_published_signatures_of_the_standard_vectors() -> None:
    """RFC 6979, A.2.5: P-256 with SHA-256 over "sample"."""
    x = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    y = "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    r = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    s = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    key = curves.public_key_from_point(Curve.NIST_P256, bytes.fromhex(f"04{x}{y}"))
    signatures.verify(key, bytes.fromhex(r + s), b"sample")


def test_the_hash_of_a_confirmation_code_is_that_of_the_standard() -> None:
    """SGP.22, 4.7: SHA-256 of the code's own SHA-256 and then the transaction."""
    inner = hashlib.sha256(b"4711").digest()
    assert signatures.hash_cc(CODE, TID) == hashlib.sha256(inner + TID).digest()


def test_statuses_are_distinct_and_say_something() -> None:
    codes = [(status.subject_code, status.reason_code) for status in Status]
    assert len(set(codes)) == len(codes)
    assert all(status.words for status in Status)
    error = RspRefusedError(Status.NO_MEMORY)
    assert (error.facts["subject_code"], error.facts["reason_code"]) == ("8.1", "4.8")
