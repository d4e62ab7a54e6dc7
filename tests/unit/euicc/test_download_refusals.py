"""What a card does not take: altered octets, foreign certificates, wrong metadata, profiles it cannot hold."""

from collections.abc import Callable

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import decode_state
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import Es9RefusedError
from kswifi.lab.phone.es10 import CardError, Es10
from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa
from kswifi.rsp import pki, tlv
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.authentication import CtxParams1
from kswifi.rsp.messages.bound_profile_package import units
from kswifi.rsp.messages.download import EuiccSigned2
from kswifi.rsp.messages.metadata import (
    PolicyRule,
    ProfileClass,
)
from kswifi.rsp.messages.notifications import BppCommand, InstallError, InstallFailure
from kswifi.rsp.saip.package import ElementKind, read_package
from kswifi.rsp.saip.response import PeStatus, decode_euicc_response
from tests.support.cards import iccid, needing, profile_package
from tests.support.memory_storage import MemoryStorage
from tests.support.rsp import (
    ADDRESS,
    OWN,
    SGP26,
    SmallSmdp,
    metadata,
    new_card,
    own_files,
)

CODE = ActivationCode(ADDRESS, "ORDER-1")


def waiting(euicc: Euicc) -> list[int]:
    with Es10(euicc) as es10:
        return [each.sequence_number for each in es10.notifications()]


def listed(euicc: Euicc) -> list[str]:
    with Es10(euicc) as es10:
        return [str(profile.iccid and profile.iccid.hex()) for profile in es10.profiles()]


def flipped(octet: int) -> Callable[[bytes], bytes]:
    def flip(octets: bytes) -> bytes:
        changed = bytearray(octets)
        changed[octet % len(changed)] ^= 0x01
        return bytes(changed)

    return flip


def refuse(server: SmallSmdp, euicc: Euicc) -> BaseException:
    """Download, which must fail; nothing of a profile may stay, and the same card must then take a good one."""
    lpa = Lpa(euicc, server)
    with pytest.raises((DownloadRefusedError, CardError, Es9RefusedError)) as caught:
        lpa.download(CODE)
    assert listed(euicc) == []
    lpa.process_notifications()
    assert Lpa(euicc, SmallSmdp()).download(CODE).iccid == iccid(1)
    return caught.value


@pytest.mark.parametrize("octet", range(0, 64, 9))
@pytest.mark.parametrize(("field", "code"), [("server_signature1", 2), ("smdp_signature2", 2)])
def test_a_flipped_signature_is_refused(field: str, code: int, octet: int) -> None:
    server = SmallSmdp(alter={field: flipped(octet)})
    refuse(server, new_card())
    assert server.refusals == [code]


@pytest.mark.parametrize("field", ["server_signed1", "smdp_signed2", "server_certificate", "smdp_certificate"])
def test_every_flipped_octet_of_what_is_signed_is_refused(field: str) -> None:
    euicc = new_card()
    lengths: list[int] = []

    def measure(octets: bytes) -> bytes:
        lengths.append(len(octets))
        return octets

    Lpa(new_card(), SmallSmdp(alter={field: measure})).download(CODE)
    for octet in range(0, lengths[0], 1 if lengths[0] < 120 else 7):
        with pytest.raises((DownloadRefusedError, CardError)):
            Lpa(euicc, SmallSmdp(alter={field: flipped(octet)})).download(CODE)
    assert (listed(euicc), waiting(euicc)) == ([], [])


def test_every_flipped_octet_of_a_package_is_refused() -> None:
    good = SmallSmdp()
    Lpa(new_card(), good).download(CODE)
    size = len(good.package)
    euicc = new_card()
    outcomes = set()
    for octet in [*range(60), *range(60, size, 97), size - 1]:
        server = SmallSmdp(alter={"package": flipped(octet)})
        lpa = Lpa(euicc, server)
        with pytest.raises((DownloadRefusedError, CardError)):
            lpa.download(CODE)
        lpa.process_notifications()
        outcomes |= {
            result.final_result.reason
            for result in server.results
            if isinstance(result.final_result, InstallFailure)
        }
        assert server.results or server.cancelled, octet
    assert (listed(euicc), waiting(euicc)) == ([], [])
    assert {InstallError.SCP03T_SECURITY_ERROR, InstallError.INVALID_SIGNATURE} <= outcomes


def test_certificates_of_another_ci_or_role_are_refused() -> None:
    other = pki.load_pki(own_files(Curve.NIST_P256))
    wrong = other.smdp_identities()[0]
    server = SmallSmdp(alter={"server_certificate": lambda _: wrong.auth.certificate.raw})
    refuse(server, new_card())
    assert server.refusals == [7], "ciPKUnknown"
    server = SmallSmdp(alter={"server_certificate": lambda _: OWN.smdp_identities()[0].pb.certificate.raw})
    refuse(server, new_card())
    assert server.refusals == [1], "invalidCertificate: DPpb is not DPauth"
    server = SmallSmdp(alter={"ci_key": lambda _: bytes(20)})
    refuse(server, new_card())
    assert server.refusals == [7]
    server = SmallSmdp(alter={"smdp_certificate": lambda _: wrong.pb.certificate.raw})
    refuse(server, new_card())
    assert server.refusals == [1]


def test_dppb_of_another_server_under_the_same_ci_is_refused() -> None:
    second = next(
        each.certificate.raw
        for each in SGP26.certificates
        if each.certificate.role.value == "dp_pb" and each.certificate.oid != SGP26.smdp_identities()[0].oid
        and each.certificate.curve is Curve.NIST_P256
    )  # fmt: skip
    server = SmallSmdp(SGP26, alter={"smdp_certificate": lambda _: second})
    with pytest.raises(DownloadRefusedError, match="invalid certificate"):
        Lpa(new_card(SGP26), server).download(CODE)
    assert server.refusals == [1]


def test_a_signature_for_another_challenge_is_refused() -> None:
    euicc, server = new_card(), SmallSmdp()
    kept: list[bytes] = []

    def keep(octets: bytes) -> bytes:
        kept.append(octets)
        return octets

    Lpa(euicc, SmallSmdp(alter={"server_signed1": keep})).download(CODE)
    server.alter["server_signed1"] = lambda _: kept[0]
    with pytest.raises(DownloadRefusedError, match="invalid signature"):
        Lpa(euicc, server).download(CODE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profile_class": ProfileClass.PROVISIONING}, InstallError.UNSUPPORTED_PROFILE_CLASS),
        ({"iccid": iccid(2).to_bytes()}, InstallError.ICCID_MISMATCH),
        ({"policy_rules": frozenset({7})}, InstallError.POLICY_RULES_NOT_ALLOWED),
    ],
)
def test_metadata_that_the_card_refuses(changes: dict[str, object], reason: InstallError) -> None:
    server, euicc = SmallSmdp(metadata=metadata(1, **changes).encode()), new_card()
    refuse(server, euicc)
    (result,) = server.results
    assert isinstance(result.final_result, InstallFailure)
    assert result.final_result.reason == reason


def test_malformed_metadata_is_refused() -> None:
    server, euicc = SmallSmdp(), new_card()
    broken = metadata().encode().replace(b"\x5a\x0a", b"\x5b\x0a")
    server.alter["package"] = lambda _: rebound(server, broken)
    lpa = Lpa(euicc, server)
    with pytest.raises(DownloadRefusedError, match="incorrect input"):
        lpa.download(CODE)
    assert failure(server, lpa) == (BppCommand.STORE_METADATA, InstallError.INCORRECT_INPUT_VALUES)


def rebound(server: SmallSmdp, changed: bytes) -> bytes:
    server.metadata, kept = changed, server.metadata
    assert server._begun is not None
    assert server.otpk is not None
    tid = server._begun.transaction_id
    package = server._bind(tid, EuiccSigned2.build(transaction_id=tid, euicc_otpk=server.otpk, hash_cc=None))
    server.metadata = kept
    return package


def failure(server: SmallSmdp, lpa: Lpa) -> tuple[int, int]:
    lpa.process_notifications()
    result = server.results[-1].final_result
    assert isinstance(result, InstallFailure)
    return result.command, result.reason


def test_a_profile_is_installed_once() -> None:
    server, euicc = SmallSmdp(), new_card()
    lpa = Lpa(euicc, server)
    lpa.download(CODE)
    lpa.process_notifications()
    with pytest.raises(DownloadRefusedError, match="iccid already exists"):
        lpa.download(CODE)
    assert failure(server, lpa) == (BppCommand.STORE_METADATA, InstallError.ICCID_ALREADY_EXISTS)
    assert len(listed(euicc)) == 1


@pytest.mark.parametrize(
    ("profile", "memory", "reason", "status"),
    [
        (profile_package(), 2000, InstallError.INSUFFICIENT_MEMORY, PeStatus.NOT_ENOUGH_MEMORY),
        (b"\x30\x00", 9999, InstallError.PROFILE_ELEMENT_PROCESSING_ERROR, PeStatus.INVALID_REQUEST_FORMAT),
        (profile_package()[:-3], 9999, InstallError.PROFILE_ELEMENT_PROCESSING_ERROR,
         PeStatus.INVALID_REQUEST_FORMAT),
        # milenage (84 00) made into tuak128 (85 00): a mandatory service that this card lacks
        (profile_package().replace(bytes.fromhex("81008400"), bytes.fromhex("81008500")), 99999,
         InstallError.PROFILE_ELEMENT_PROCESSING_ERROR, PeStatus.FEATURE_NOT_SUPPORTED),
        # the USIM element (B3) under a tag that no card knows, still mandated
        (profile_package().replace(tlv.encode(0x80, b"\x02"), tlv.encode(0x80, b"\x09"), 1), 99999,
         InstallError.PROFILE_ELEMENT_PROCESSING_ERROR, PeStatus.UNSUPPORTED_PROFILE_VERSION),
    ],
)  # fmt: skip
def test_packages_that_the_card_refuses(
    profile: bytes, memory: int, reason: InstallError, status: PeStatus
) -> None:
    server, euicc = SmallSmdp(profile=profile), new_card(memory_octets=memory)
    lpa = Lpa(euicc, server)
    with pytest.raises(DownloadRefusedError):
        lpa.download(CODE)
    assert failure(server, lpa) == (BppCommand.LOAD_PROFILE_ELEMENTS, reason)
    result = server.results[0].final_result
    assert isinstance(result, InstallFailure)
    assert result.sima_response is not None
    assert decode_euicc_response(result.sima_response)[0][0] == status
    assert listed(euicc) == []


def test_a_profile_that_cannot_be_disabled_wants_to_be_alone() -> None:
    euicc = new_card()
    sticky = frozenset({PolicyRule.DISABLING_NOT_ALLOWED})
    Lpa(euicc, SmallSmdp()).download(CODE)
    second = SmallSmdp(profile=profile_package(2), metadata=metadata(2, policy_rules=sticky).encode())
    with pytest.raises(DownloadRefusedError, match="policy rules not allowed"):
        Lpa(euicc, second).download(CODE)


def test_a_challenge_is_good_for_one_answer_even_a_bad_one() -> None:
    server = SmallSmdp()
    with Es10(new_card()) as es10:
        begun = server.initiate_authentication(ADDRESS, es10.challenge(), es10.info1().raw)

        def ask(signature: bytes) -> bytes:
            context = CtxParams1("X", bytes(4)).encode()
            certificate = begun.server_certificate
            return es10.send(
                tlv.encode(0xBF38, begun.server_signed1, signature, begun.ci_key_to_be_used, certificate, context)
            )

        assert ask(tlv.encode(0x5F37, bytes(64))).hex().endswith("020102"), "invalidSignature"
        assert ask(begun.server_signature1).hex().endswith("020104"), "noSessionContext"


def test_after_a_failure_nothing_more_of_the_package_is_taken() -> None:
    server, euicc = SmallSmdp(alter={"package": lambda octets: octets[:-1] + b"\x00"}), new_card()
    with pytest.raises(DownloadRefusedError):
        Lpa(euicc, server).download(CODE)
    with Es10(euicc) as es10:
        for unit in units(server.package):
            with pytest.raises(CardError, match=r"6985|6A88"):
                es10.send(unit)


def test_a_request_in_more_than_256_blocks() -> None:
    with Es10(new_card(), chunk_octets=6) as es10:
        assert len(es10.send(tlv.encode(0xBF2E, bytes(2000)))) == 21


def test_the_response_names_the_element_at_fault() -> None:
    package = profile_package()
    element = next(each for each in read_package(package) if each.kind is ElementKind.AKA_PARAMETER)
    assert element.header is not None
    other = element.raw.replace(b"\x80\x01\x01\x81\x01\x01", b"\x80\x01\x02\x81\x01\x01")
    assert other != element.raw, "algorithm 2 is TUAK, which this card lacks"
    server = SmallSmdp(profile=package.replace(element.raw, other))
    lpa = Lpa(new_card(), server)
    with pytest.raises(DownloadRefusedError):
        lpa.download(CODE)
    lpa.process_notifications()
    result = server.results[0].final_result
    assert isinstance(result, InstallFailure)
    assert result.sima_response is not None
    expected = [(PeStatus.FEATURE_NOT_SUPPORTED, element.header.identification)]
    assert decode_euicc_response(result.sima_response) == expected


@pytest.mark.parametrize("service", ["javacard", "tuak128", "suciCalculatorApi"])
def test_what_a_profile_calls_mandatory_and_the_card_lacks(service: str) -> None:
    server, euicc = SmallSmdp(profile=needing(service)), new_card()
    lpa = Lpa(euicc, server)
    with pytest.raises(DownloadRefusedError, match="profile element processing error"):
        lpa.download(CODE)
    lpa.process_notifications()
    result = server.results[0].final_result
    assert isinstance(result, InstallFailure)
    assert result.sima_response is not None
    assert decode_euicc_response(result.sima_response) == [(PeStatus.FEATURE_NOT_SUPPORTED, None)]
    assert listed(euicc) == []


def test_a_full_disk_at_the_last_segment_leaves_nothing_and_the_next_try_works() -> None:
    storage = MemoryStorage()
    euicc, server = new_card(storage=storage), SmallSmdp()
    before = decode_state(storage.load())
    save, calls = storage.save, iter(range(99))

    def full(state: bytes) -> None:
        if next(calls) == 1:  # the first write keeps the one-time key
            raise OSError(28, "No space left on device")
        save(state)

    storage.save = full  # type: ignore[method-assign]
    with pytest.raises(DownloadRefusedError, match="6581"):
        Lpa(euicc, server).download(CODE)
    after = decode_state(storage.load())
    assert (after.profiles, after.notifications, after.next_isdp) == ([], [], before.next_isdp)
    assert Lpa(euicc, SmallSmdp()).download(CODE).iccid == iccid(1)
