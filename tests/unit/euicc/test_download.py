"""A whole download: our LPA between our card and an SM-DP+ of pure functions, on several sets of certificates."""

import contextlib
from collections.abc import Callable

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import decode_state
from kswifi.lab.phone.activation_code import ActivationCode, ActivationCodeError
from kswifi.lab.phone.es9 import Es9RefusedError
from kswifi.lab.phone.es10 import CardError, Es10
from kswifi.lab.phone.lpa import ConfirmationCodeNeededError, DownloadRefusedError, Lpa
from kswifi.rsp import pki
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.metadata import (
    IconType,
    NotificationConfiguration,
    NotificationEvent,
    ServiceSpecificData,
)
from kswifi.rsp.messages.notifications import InstallSuccess
from kswifi.rsp.messages.profiles import ProfileId
from kswifi.rsp.saip.response import PeStatus, decode_euicc_response
from tests.support.cards import EID, iccid, profile_package, send
from tests.support.memory_storage import MemoryStorage
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


def test_power_loss_at_every_command_of_a_profiles_life() -> None:
    """Enabling, naming, disabling, deleting, resetting: each is whole or did not happen, and can be asked again."""

    def life(euicc: CutOff | Euicc) -> None:
        with Es10(euicc) as es10:
            first, second = (ProfileId.of_iccid(iccid(number).to_bytes()) for number in (1, 2))
            steps: list[Callable[[], object]] = [
                lambda: es10.enable(first),
                lambda: es10.enable(second),
                lambda: es10.set_nickname(iccid(1).to_bytes(), "Market"),
                lambda: es10.set_default_smdp(ADDRESS),
                lambda: es10.delete(first),
                lambda: es10.disable(second),
                es10.memory_reset,
            ]
            for step in steps:
                with contextlib.suppress(CardError):  # what was done before the power failed
                    step()

    def filled() -> MemoryStorage:
        storage = MemoryStorage()
        euicc = new_card(storage=storage)
        for number in (1, 2):
            Lpa(euicc, SmallSmdp(profile=profile_package(number), metadata=metadata(number).encode())).download(
                CODE
            )
        return storage

    prepared = filled().load()
    counting = CutOff(Euicc.open(_keeping(prepared)), 1_000_000)
    life(counting)
    for cut in range(1, 1_000_000 - counting.left + 1):
        storage = _keeping(prepared)
        with pytest.raises(CutError):
            life(CutOff(Euicc.open(storage), cut))
        state = decode_state(storage.load())
        assert sum(profile.enabled for profile in state.profiles) <= 1
        numbers = [each.sequence_number for each in state.notifications]
        assert numbers == sorted(set(numbers))
        life(Euicc.open(storage))
        assert decode_state(storage.load()).profiles == []


def _keeping(octets: bytes) -> MemoryStorage:
    storage = MemoryStorage()
    storage.save(octets)
    return storage
