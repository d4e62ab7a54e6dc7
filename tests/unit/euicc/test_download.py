"""A whole download: our LPA between our card and an SM-DP+ of pure functions, on several sets of certificates."""

from collections.abc import Callable

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import decode_state
from kswifi.euicc.storage import MemoryStorage
from kswifi.lab.phone.activation_code import ActivationCode, ActivationCodeError
from kswifi.lab.phone.es9 import Es9RefusedError
from kswifi.lab.phone.es10 import CardError, Es10
from kswifi.lab.phone.lpa import ConfirmationCodeNeededError, DownloadRefusedError, Lpa
from kswifi.rsp import pki, tlv
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.metadata import (
    IconType,
    NotificationConfiguration,
    NotificationEvent,
    PolicyRule,
    ProfileClass,
    ServiceSpecificData,
)
from kswifi.rsp.messages.notifications import BppCommand, InstallError, InstallFailure, InstallSuccess
from kswifi.rsp.messages.profiles import ProfileId
from kswifi.rsp.saip.response import PeStatus, decode_euicc_response
from tests.support.cards import EID, iccid, profile_package, send
from tests.support.rsp import (
    ADDRESS,
    OWN,
    SGP26,
    SmallSmdp,
    metadata,
    new_card,
    own_files,
    sgp26_files,
)

CODE = ActivationCode(ADDRESS, "ORDER-1")

SETS = {
    "own": OWN,
    "own brainpool": pki.load_pki(own_files(Curve.BRAINPOOL_P256R1)),
    "sgp26": SGP26,
    "sgp26 nist": pki.load_pki(sgp26_files(Curve.NIST_P256)),
    "sgp26 brainpool": pki.load_pki(sgp26_files(Curve.BRAINPOOL_P256R1)),
}


def waiting(euicc: Euicc) -> list[int]:
    with Es10(euicc) as es10:
        return [each.sequence_number for each in es10.notifications()]


def listed(euicc: Euicc) -> list[str]:
    with Es10(euicc) as es10:
        return [str(profile.iccid and profile.iccid.hex()) for profile in es10.profiles()]


@pytest.mark.parametrize("session_keys", [False, True])
@pytest.mark.parametrize("name", list(SETS))
def test_a_whole_download(name: str, session_keys: bool) -> None:
    server = SmallSmdp(SETS[name], session_keys=session_keys)
    euicc = new_card(SETS[name])
    steps: list[str] = []
    lpa = Lpa(euicc, server, steps.append)
    got = lpa.download(CODE)
    assert got.iccid == iccid(1)
    assert got.metadata == metadata()
    assert steps[0] == f"connecting to {ADDRESS}"
    assert steps[-1] == "the profile is on the card"
    assert [done.failure for done in lpa.process_notifications()] == [None]
    (result,) = server.results
    assert isinstance(result.final_result, InstallSuccess)
    assert decode_euicc_response(result.final_result.sima_response) == [(PeStatus.OK, None)]
    assert result.notification.address == ADDRESS
    assert waiting(euicc) == []
    with Es10(euicc) as es10:
        (profile,) = es10.profiles()
        assert (profile.state, profile.profile_name, profile.aid) == (0, "line 1", result.final_result.aid)
        es10.enable(ProfileId.of_iccid(iccid(1).to_bytes()))
    assert send(euicc, "00A4040C07A0000000871002")[1] == "9000"
    assert send(euicc, "00A40804047FFF6F07")[1] == "9000"
    lpa.process_notifications()
    assert [each.notification.event for each in server.notifications] == [NotificationEvent.ENABLE]


@pytest.mark.parametrize("size", [6, 7, 33, 254, 255])
def test_chunks_of_any_size(size: int) -> None:
    server, euicc = SmallSmdp(), new_card()
    icon = metadata(icon_type=IconType.PNG, icon=bytes(1024))
    server.metadata = icon.encode()
    assert Lpa(euicc, server, chunk_octets=size).download(CODE).metadata == icon
    with Es10(euicc, size) as es10:
        assert es10.profiles((0x94,))[0].icon == bytes(1024)


def test_the_confirmation_code_is_hashed_for_this_transaction() -> None:
    server, euicc = SmallSmdp(confirmation_code="4711"), new_card()
    lpa = Lpa(euicc, server)
    with pytest.raises(ConfirmationCodeNeededError):
        lpa.download(CODE)
    assert server.cancelled == [CancelReason.POSTPONED]
    with pytest.raises(Es9RefusedError, match="wrong") as caught:
        lpa.download(CODE, "4712")
    assert (caught.value.subject_code, caught.value.reason_code) == ("8.2.7", "3.8")
    assert lpa.download(CODE, "4711").iccid == iccid(1)


def test_the_user_may_decline() -> None:
    server, euicc = SmallSmdp(), new_card()
    with pytest.raises(DownloadRefusedError, match="declined"):
        Lpa(euicc, server).download(CODE, agree=lambda offered: offered.profile_name != "line 1")
    assert server.cancelled == [CancelReason.END_USER_REJECTION]
    assert (listed(euicc), waiting(euicc)) == ([], [])


def test_the_activation_code_may_name_the_servers_oid() -> None:
    with pytest.raises(DownloadRefusedError, match="not the server"):
        Lpa(new_card(), SmallSmdp()).download(ActivationCode(ADDRESS, "X", "1.2.3"))
    assert Lpa(new_card(), SmallSmdp()).download(ActivationCode(ADDRESS, "X", "2.999.10")).iccid == iccid(1)


@pytest.mark.parametrize("text", ["", "LPA:1", "2$rsp.example$X", "LPA:1$$X", "1$a b$X", "1$rsp.example/x$Y"])
def test_what_is_no_activation_code(text: str) -> None:
    with pytest.raises(ActivationCodeError):
        ActivationCode.parse(text)


def test_activation_codes() -> None:
    assert ActivationCode.parse(f"LPA:1${ADDRESS}$ORDER-1") == CODE
    assert ActivationCode.parse(f"1${ADDRESS}$") == ActivationCode(ADDRESS, "")
    full = ActivationCode.parse(f"lpa:1${ADDRESS}:8443$X$2.999.10$1")
    assert full == ActivationCode(ADDRESS + ":8443", "X", "2.999.10", True)


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
        ({"profile_class": ProfileClass.TEST}, InstallError.UNSUPPORTED_PROFILE_CLASS),
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
    from kswifi.rsp.messages.download import EuiccSigned2

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
        # usim (81 00) made into isim (82 00): a mandatory service that this card lacks
        (profile_package().replace(bytes.fromhex("81008400"), bytes.fromhex("82008400")), 99999,
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


def test_install_notifications_go_where_the_metadata_says() -> None:
    elsewhere = NotificationConfiguration(frozenset({NotificationEvent.INSTALL, NotificationEvent.DELETE}), ADDRESS)
    server, euicc = SmallSmdp(metadata=metadata(notifications=(elsewhere, elsewhere)).encode()), new_card()
    lpa = Lpa(euicc, server)
    lpa.download(CODE)
    assert [done.metadata.sequence_number for done in lpa.process_notifications()] == [1, 2, 3]
    assert (len(server.results), len(server.notifications)) == (1, 2)
    with Es10(euicc) as es10:
        es10.delete(ProfileId.of_iccid(iccid(1).to_bytes()))
    lpa.process_notifications()
    assert [each.notification.sequence_number for each in server.notifications[2:]] == [4, 5]


def test_a_server_that_does_not_take_a_notification_gets_it_again() -> None:
    server, euicc = SmallSmdp(), new_card()
    lpa = Lpa(euicc, server)
    lpa.download(CODE)
    original = server.handle_notification

    def busy(address: str, notification: bytes) -> None:
        raise Es9RefusedError("8.1", "5.1", "busy")

    server.handle_notification = busy  # type: ignore[method-assign]
    assert [done.failure for done in lpa.process_notifications()] == ["busy (8.1/5.1)"]
    assert waiting(euicc) == [1]
    server.handle_notification = original  # type: ignore[method-assign]
    lpa.process_notifications()
    assert (waiting(euicc), len(server.results)) == ([], 1)


def test_service_specific_data_can_be_read_while_the_profile_is_disabled() -> None:
    data = (ServiceSpecificData("2.999.1", b"a record"),)
    euicc = new_card()
    Lpa(euicc, SmallSmdp(metadata=metadata(service_specific_data=data).encode())).download(CODE)
    with Es10(euicc) as es10:
        assert es10.profiles((0xBF22, 0x5A))[0].service_specific_data == data
        assert es10.profiles()[0].service_specific_data == ()


def test_power_loss_at_every_command_of_a_download() -> None:
    """The card answers the first n commands and is powered off: it has the whole profile or nothing of it."""
    total = count_commands()
    kept = 0
    for cut in range(1, total + 1):
        storage = MemoryStorage()
        euicc = new_card(storage=storage)
        server = SmallSmdp()
        with pytest.raises(CutError):
            Lpa(CutOff(euicc, cut), server).download(CODE)
        state = decode_state(storage.load())
        installed = len(state.profiles) == 1
        assert installed == bool(state.notifications)
        kept += installed
        euicc = Euicc.open(storage)
        if not installed:
            server.again = server.otpk is not None
            before = server.otpk
            Lpa(euicc, server).download(CODE)
            assert before in (None, server.otpk), "the card still had its one-time key"
        lpa = Lpa(euicc, server)
        assert [done.failure for done in lpa.process_notifications()] == [None]
        assert decode_state(storage.load()).one_time_key == b""
    assert 0 < kept < 8, "only the answer to the last segment and what follows it come after the installation"


class CutError(Exception):
    pass


class CutOff:
    """A card whose power fails after a number of commands, before the last answer is heard."""

    def __init__(self, euicc: Euicc, commands: int) -> None:
        self._euicc = euicc
        self.left = commands

    def transmit(self, command: bytes) -> bytes:
        if self.left == 0:
            raise CutError
        self.left -= 1
        answer = self._euicc.transmit(command)
        if self.left == 0:
            raise CutError
        return answer


def count_commands() -> int:
    counting = CutOff(new_card(), 1_000_000)
    Lpa(counting, SmallSmdp()).download(CODE)
    return 1_000_000 - counting.left


def test_a_used_one_time_key_is_not_used_again() -> None:
    server, euicc = SmallSmdp(), new_card()
    Lpa(euicc, server).download(CODE)
    first, server.again, server.profile = server.otpk, True, profile_package(2)
    server.metadata = metadata(2).encode()
    Lpa(euicc, server).download(CODE)
    assert server.otpk != first


def test_a_card_without_credentials_downloads_nothing() -> None:
    bare = Euicc.create(MemoryStorage(), EID)
    with Es10(bare) as es10:
        assert es10.info1().ci_keys_for_verification == ()
    with pytest.raises(Exception, match="CI keys"):
        Lpa(bare, SmallSmdp()).download(CODE)


def test_a_profile_that_cannot_be_disabled_wants_to_be_alone() -> None:
    euicc = new_card()
    sticky = frozenset({PolicyRule.DISABLING_NOT_ALLOWED})
    Lpa(euicc, SmallSmdp()).download(CODE)
    second = SmallSmdp(profile=profile_package(2), metadata=metadata(2, policy_rules=sticky).encode())
    with pytest.raises(DownloadRefusedError, match="policy rules not allowed"):
        Lpa(euicc, second).download(CODE)
