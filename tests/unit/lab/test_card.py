"""The lab phone's card, as modem and phone use it: through APDUs only."""

from pathlib import Path

import pytest

from kswifi.aka import milenage
from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import CardBusyError, CardExistsError, CardMissingError, ProfileRefusedError
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.numbers import Imsi
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es10 import CardError
from kswifi.rsp import session_record
from kswifi.scp80 import packets, sms
from tests.support.cards import EID, OPC, SIGNING_KEY, K, RogueCard, iccid, profile_package, profile_parameters
from tests.support.packets import KEYS, Answer, packet, update_script

AMF = milenage.AMF_SEPARATION_BIT
RAND = bytes(range(16))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Card.create(tmp_path / "card", EID).close()
    personalise(tmp_path / "card", 1)
    with Card.open(tmp_path / "card") as card:
        card.enable(iccid(1))
    return tmp_path / "card"


def personalise(directory: Path, number: int) -> None:
    """Load a profile without a server, as the card's manufacturer can."""
    euicc = Euicc.open(DirectoryStorage.open(directory))
    try:
        euicc.load_profile_package(profile_package(number))
    finally:
        euicc.close()


def test_a_card_keeps_its_state_when_it_is_closed_and_opened(directory: Path) -> None:
    with Card.open(directory) as card:
        assert card.eid() == EID
        assert [(p.iccid, p.enabled, p.name) for p in card.profiles()] == [(iccid(1), True, "KSWiFi")]
        assert card.iccid() == iccid(1)
        assert card.imsi() == profile_parameters(1).imsi


def test_a_session_record_read_from_the_card_verifies(directory: Path) -> None:
    with Card.open(directory) as card:
        [record] = card.read_session_records()
    verified = session_record.verify(record, SIGNING_KEY.public_key())
    assert (verified.iccid, verified.allowance_octets) == (iccid(1), 1_000_000_000)


def test_a_challenge_is_answered_once_and_its_replay_gets_auts(directory: Path) -> None:
    vector = milenage.generate_vector(K, OPC, 64, AMF, RAND)
    with Card.open(directory) as card:
        answer = card.authenticate(vector.rand, vector.autn)
        assert (answer.res, answer.ck, answer.ik, answer.auts) == (vector.xres, vector.ck, vector.ik, None)
        assert repr(vector.ck) not in repr(answer)
    with Card.open(directory) as card:
        answer = card.authenticate(vector.rand, vector.autn)
        assert answer.auts is not None
        assert answer.res is None
        assert milenage.verify_auts(K, OPC, RAND, answer.auts) == 64


def test_a_challenge_of_another_network_is_a_mac_failure(directory: Path) -> None:
    vector = milenage.generate_vector(bytes(16), OPC, 64, AMF, RAND)
    with Card.open(directory) as card:
        answer = card.authenticate(vector.rand, vector.autn)
        assert answer.mac_failure
        assert answer.res is None


def test_a_rogue_card_answers_a_wrong_res() -> None:
    vector = milenage.generate_vector(K, OPC, 64, AMF, RAND)
    answer = RogueCard(Imsi("621990000000001")).authenticate(vector.rand, bytes(16))
    assert answer.res is not None
    assert answer.res != vector.xres


def test_profiles_are_enabled_disabled_and_deleted(directory: Path) -> None:
    personalise(directory, 2)
    with Card.open(directory) as card:
        card.enable(iccid(2))
        assert card.iccid() == iccid(2)
        with pytest.raises(CardError, match="not in the state"):
            card.enable(iccid(2))
        with pytest.raises(CardError, match="not in the state"):
            card.delete(iccid(2))
        with pytest.raises(CardError, match="no such profile"):
            card.disable(iccid(3))
        card.disable(iccid(2))
        with pytest.raises(CardError, match="is a profile enabled"):
            card.imsi()
        with pytest.raises(CardError, match="is a profile enabled"):
            card.authenticate(RAND, bytes(16))
        with pytest.raises(CardError, match="is a profile enabled"):
            card.read_session_records()
        card.delete(iccid(2))
        assert [profile.iccid for profile in card.profiles()] == [iccid(1)]


def test_logical_channels_are_closed_after_use(directory: Path) -> None:
    with Card.open(directory) as card:
        for _ in range(10):
            card.profiles()
        with pytest.raises(CardError):
            card.delete(iccid(1))
        assert card.transmit(bytes.fromhex("0070000001")) == bytes.fromhex("019000")


def test_a_refused_package_leaves_the_card_as_it_was(directory: Path) -> None:
    with pytest.raises(ProfileRefusedError, match="already"):
        personalise(directory, 1)
    with Card.open(directory) as card:
        assert len(card.profiles()) == 1


def test_a_card_is_open_in_one_process_only(directory: Path) -> None:
    with Card.open(directory), pytest.raises(CardBusyError):
        Card.open(directory)
    with pytest.raises(CardExistsError):
        Card.create(directory, EID)
    with pytest.raises(CardMissingError):
        Card.open(directory / "elsewhere")
    Card.open(directory).close()


def test_a_packet_is_given_to_an_enabled_profile_only(directory: Path) -> None:
    personalise(directory, 2)
    secured = packets.encode_command(packet(1, update_script(2, b"a record")), KEYS)
    envelopes = [sms.envelope(each) for each in sms.deliver_messages(secured, 1)]
    with Card.open(directory) as card:
        for disabled in (1, 2):
            if not card.profiles()[2 - disabled].enabled:
                card.enable(iccid(3 - disabled))
            with pytest.raises(CardError) as caught:
                card.hand_over(iccid(disabled), envelopes)
            assert caught.value.facts["reason"] == "profile_disabled"
            assert len(card.read_session_records()) == 1
        card.disable(iccid(1))
        with pytest.raises(CardError, match="not enabled"):
            card.hand_over(iccid(1), envelopes)
        card.enable(iccid(1))
        answer = card.hand_over(iccid(1), envelopes)
        assert Answer(answer[:-2], answer[-2:].hex()).script().status == 0x9000
