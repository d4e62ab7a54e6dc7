"""Every function of the ISD-R by its own requests and answers, refusals included."""

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import CardCredentialsError
from kswifi.euicc.es10 import notifications as stored
from kswifi.euicc.es10.credentials import CardCredentials, credentials_of_pki, make_credentials
from kswifi.euicc.state import decode_state
from kswifi.kernel.numbers import Eid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es10 import CardError, Es10
from kswifi.lab.phone.lpa import Lpa
from kswifi.rsp import pki, signatures, tlv
from kswifi.rsp.certificates import Role, read_certificate
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.authentication import CtxParams1
from kswifi.rsp.messages.download import CancelSessionError, CancelSessionRequest, decode_cancel_session_response
from kswifi.rsp.messages.euicc_info import RspCapability, UiccCapability
from kswifi.rsp.messages.metadata import NotificationEvent, PolicyRule
from kswifi.rsp.messages.notifications import OtherSignedNotification, decode_pending_notification
from kswifi.rsp.messages.profiles import TAG_AID, ProfileId
from kswifi.rsp.trust import Trust
from tests.support.cards import EID, iccid, profile_package, send, store_data
from tests.support.memory_storage import MemoryStorage
from tests.support.rsp import (
    ADDRESS,
    CARD_EID,
    NOW,
    OWN,
    SGP26,
    SmallSmdp,
    metadata,
    new_card,
    own_files,
)

CODE = ActivationCode(ADDRESS, "ORDER-1")
FIRST, SECOND = (ProfileId.of_iccid(iccid(number).to_bytes()) for number in (1, 2))


def put(euicc: Euicc, number: int = 1, **changes: object) -> None:
    """Download a profile and let the server have the result."""
    server = SmallSmdp(profile=profile_package(number), metadata=metadata(number, **changes).encode())
    lpa = Lpa(euicc, server)
    lpa.download(CODE)
    lpa.process_notifications()


def events(euicc: Euicc) -> list[tuple[str, str]]:
    with Es10(euicc) as es10:
        return [(each.event.name, (each.iccid or b"").hex()[-4:]) for each in es10.notifications()]


def test_the_card_says_what_it_is() -> None:
    with Es10(new_card(SGP26)) as es10:
        assert es10.eid() == CARD_EID
        info1, info2 = es10.info1(), es10.info2()
    keys = {issuer.certificate.key_id for issuer in SGP26.of_role(Role.CI)}
    assert info1.svn == info2.svn == (2, 5, 0)
    assert set(info1.ci_keys_for_verification) == set(info1.ci_keys_for_signing) == keys
    assert info2.uicc_capability == {
        UiccCapability.USIM,
        UiccCapability.ISIM,
        UiccCapability.CSIM,
        UiccCapability.MILENAGE,
        UiccCapability.USIM_TEST_ALGORITHM,
        UiccCapability.BER_TLV_FILES,
        UiccCapability.GET_IDENTITY,
        UiccCapability.PROFILE_A_X25519,
        UiccCapability.PROFILE_B_P256,
    }
    assert RspCapability.SERVICE_SPECIFIC_DATA in info2.rsp_capability
    assert info2.ext_card_resource is not None
    assert info2.ext_card_resource.free_non_volatile_octets == 512 * 1024


def test_free_memory_and_applications_are_counted() -> None:
    euicc = new_card()
    put(euicc)
    with Es10(euicc) as es10:
        resource = es10.info2().ext_card_resource
    assert resource is not None
    assert resource.installed_applications == 1
    assert 500_000 < resource.free_non_volatile_octets < 512 * 1024 - 3000


def test_the_default_server_is_set_kept_and_taken_away() -> None:
    storage = MemoryStorage()
    with Es10(new_card(storage=storage)) as es10:
        assert es10.addresses() == (None, "smds.example.com")
        es10.set_default_smdp("rsp.example.com")
    with Es10(Euicc.open(storage)) as es10:
        assert es10.addresses()[0] == "rsp.example.com"
        with pytest.raises(CardError):
            es10.set_default_smdp("x" * 256)
        es10.set_default_smdp("")
        assert es10.addresses()[0] is None


def test_the_rules_authorisation_table() -> None:
    answer = store_data(new_card(), "BF4300")
    assert answer.hex().upper() == "BF4315A013301180020560A10730058003EEEEEE82020780"


def test_every_challenge_is_another_one() -> None:
    with Es10(new_card()) as es10:
        assert len({es10.challenge() for _ in range(20)}) == 20


def test_policy_rules_hold_and_a_reset_does_not_ask_them() -> None:
    euicc = new_card()
    put(euicc, 1, policy_rules=frozenset({PolicyRule.DISABLING_NOT_ALLOWED, PolicyRule.DELETION_NOT_ALLOWED}))
    put(euicc, 2)
    with Es10(euicc) as es10:
        with pytest.raises(CardError, match="policy rules"):
            es10.delete(FIRST)
        es10.enable(FIRST)
        with pytest.raises(CardError, match="policy rules"):
            es10.disable(FIRST)
        with pytest.raises(CardError, match="policy rules"):
            es10.enable(SECOND)
        assert [profile.policy_rules for profile in es10.profiles((0x99,))] == [frozenset({1, 2}), None]
        assert es10.memory_reset() is True
        assert es10.profiles() == ()
        assert es10.memory_reset() is False, "nothing to delete"
    assert send(euicc, "00A40004023F00")[1] == "6A82", "no files are left"


def test_a_reset_does_what_its_options_say() -> None:
    euicc = new_card()
    put(euicc)
    with Es10(euicc) as es10:
        es10.set_default_smdp("rsp.example.com")
    assert store_data(euicc, "BF340482020640") == bytes.fromhex("BF3403800101"), "test profiles: there are none"
    assert store_data(euicc, "BF340482020520") == bytes.fromhex("BF3403800100"), "the address alone"
    with Es10(euicc) as es10:
        assert len(es10.profiles()) == 1
        assert es10.addresses()[0] is None
    assert store_data(euicc, "BF340482020780") == bytes.fromhex("BF3403800100")
    with Es10(euicc) as es10:
        assert es10.profiles() == ()
    assert events(euicc)[-1][0] == "DELETE"


def test_switching_profiles_notifies_for_each() -> None:
    euicc = new_card()
    put(euicc, 1)
    put(euicc, 2)
    with Es10(euicc) as es10:
        es10.enable(FIRST)
        es10.enable(SECOND)
        es10.disable(SECOND)
        es10.delete(FIRST)
    one, two = (iccid(number).to_bytes().hex()[-4:] for number in (1, 2))
    assert events(euicc) == [
        ("ENABLE", one), ("DISABLE", one), ("ENABLE", two), ("DISABLE", two), ("DELETE", one)
    ]  # fmt: skip


def test_states_and_names_that_do_not_fit_are_refused() -> None:
    euicc = new_card()
    put(euicc)
    with Es10(euicc) as es10:
        for function in (es10.enable, es10.disable, es10.delete):
            with pytest.raises(CardError, match="no such profile"):
                function(SECOND)
        with pytest.raises(CardError, match="state"):
            es10.disable(FIRST)
        es10.enable(ProfileId(TAG_AID, bytes.fromhex("A0000005591010FFFFFFFF8900001000")))
        with pytest.raises(CardError, match="state"):
            es10.enable(FIRST)
        with pytest.raises(CardError, match="state"):
            es10.delete(FIRST)


def test_nicknames() -> None:
    euicc = new_card()
    put(euicc)
    with Es10(euicc) as es10:
        es10.set_nickname(FIRST.value, "Ọjà")
        assert es10.profiles()[0].nickname == "Ọjà"
        with pytest.raises(CardError):
            es10.set_nickname(FIRST.value, "x" * 65)
        with pytest.raises(CardError, match="no such profile"):
            es10.set_nickname(SECOND.value, "y")
        es10.set_nickname(FIRST.value, "")
        assert es10.profiles()[0].nickname is None


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        ("BF2D00", 2),
        ("BF2D055C035A9F70", 2),
        ("BF2D05A003950102", 2),
        ("BF2D05A003950100", 0),
        ("BF2D0EA00C5A0A" + iccid(2).to_bytes().hex(), 1),
        ("BF2D0EA00C5A0A" + iccid(3).to_bytes().hex(), 0),
        ("BF2D14A0124F10A0000005591010FFFFFFFF8900001000", 1),
    ],
)
def test_the_profile_list_can_be_searched(request_: str, count: int) -> None:
    euicc = new_card()
    put(euicc, 1)
    put(euicc, 2)
    answer = tlv.only(store_data(euicc, request_), 0xBF2D)
    assert len(list(tlv.walk(tlv.only(answer.value, 0xA0).value))) == count


def test_the_profile_list_names_wrong_requests() -> None:
    assert store_data(new_card(), "BF2D05A0035A0198") == bytes.fromhex("BF2D03810101")


def test_notifications_are_listed_by_event_and_forgotten_once() -> None:
    euicc = new_card()
    put(euicc)
    with Es10(euicc) as es10:
        es10.enable(FIRST)
        es10.disable(FIRST)
        numbers = [each.sequence_number for each in es10.notifications()]
        assert numbers == [2, 3]
        with pytest.raises(CardError, match="no such notification"):
            es10.retrieve_notification(99)
        pending = es10.retrieve_notification(3)
        decoded = decode_pending_notification(pending)
        assert isinstance(decoded, OtherSignedNotification)
        assert decoded.notification.event is NotificationEvent.DISABLE
    listed = tlv.only(tlv.only(store_data(euicc, "BF280481020640"), 0xBF28).value, 0xA0)
    assert len(list(tlv.walk(listed.value))) == 1
    both = tlv.only(tlv.only(store_data(euicc, "BF2B00"), 0xBF2B).value, 0xA0)
    assert len(list(tlv.walk(both.value))) == 2
    with Es10(euicc) as es10:
        es10.remove_notification(2)
        with pytest.raises(CardError, match="no such notification"):
            es10.remove_notification(2)


def test_notifications_survive_power_and_numbers_never_come_twice() -> None:
    storage = MemoryStorage()
    euicc = new_card(storage=storage)
    put(euicc)
    seen = set()
    for _ in range(5):
        euicc = Euicc.open(storage)
        with Es10(euicc) as es10:
            es10.enable(FIRST)
            es10.disable(FIRST)
            for each in es10.notifications():
                assert each.sequence_number not in seen
                seen.add(each.sequence_number)
                es10.remove_notification(each.sequence_number)
    assert len(seen) == 10


def test_notifications_are_kept_until_they_are_removed_as_far_as_there_is_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    euicc = new_card(storage=storage)
    Lpa(euicc, SmallSmdp()).download(CODE)
    with Es10(euicc) as es10:
        for _ in range(50):
            es10.enable(FIRST)
            es10.disable(FIRST)
        numbers = [each.sequence_number for each in es10.notifications()]
        assert numbers == list(range(1, 102)), "more than 64, the oldest among them"
        used = sum(len(each.metadata + each.octets) for each in decode_state(storage.load()).notifications)
        monkeypatch.setattr(stored, "NOTIFICATION_MEMORY_OCTETS", used + stored.RESULT_RESERVE_OCTETS)
        es10.enable(FIRST)
        assert [each.sequence_number for each in es10.notifications()] == numbers, "no room: the oldest stay"
        es10.remove_notification(1)
        es10.remove_notification(2)
        es10.disable(FIRST)
        assert [each.sequence_number for each in es10.notifications()] == [*numbers[2:], 103]


def test_install_results_have_a_reserve_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "NOTIFICATION_MEMORY_OCTETS", 2000)
    monkeypatch.setattr(stored, "RESULT_RESERVE_OCTETS", 2000)
    storage = MemoryStorage()
    euicc = new_card(storage=storage)
    Lpa(euicc, SmallSmdp()).download(CODE)
    with Es10(euicc) as es10:
        es10.enable(FIRST)
    assert [each.install_result for each in decode_state(storage.load()).notifications] == [True]


def test_a_profile_without_configuration_or_signer_tells_nobody() -> None:
    euicc = new_card()
    put(euicc, 1, notifications=())
    euicc.load_profile_package(profile_package(2))
    with Es10(euicc) as es10:
        es10.enable(FIRST)
        es10.enable(SECOND)
    assert events(euicc) == []


def test_functions_out_of_their_order_are_refused_by_their_codes() -> None:
    euicc = new_card()
    with Es10(euicc) as es10:
        cancelled = decode_cancel_session_response(es10.send(CancelSessionRequest(b"tid", 0).encode()))
        assert cancelled == CancelSessionError(5)
    server = SmallSmdp()
    with Es10(euicc) as es10:
        begun = server.initiate_authentication(ADDRESS, es10.challenge(), es10.info1().raw)
        request = tlv.encode(
            0xBF38, begun.server_signed1, begun.server_signature1, begun.ci_key_to_be_used,
            begun.server_certificate, CtxParams1("X", bytes(4)).encode(),
        )  # fmt: skip
        good = es10.send(request)
        again = es10.send(request)
        assert again.hex().endswith("020104"), "noSessionContext: a challenge is good for one answer"
        es10.challenge()
        late = es10.send(request)
        assert late.hex().endswith("020106"), "euiccChallengeMismatch"
        answer = server.authenticate_client(ADDRESS, begun.transaction_id, good)
        prepare = tlv.encode(0xBF21, answer.smdp_signed2, answer.smdp_signature2, answer.smdp_certificate)
        assert es10.send(prepare).hex().endswith("020104"), "noSessionContext"
        with pytest.raises(CardError, match="6985"):
            es10.send(bytes.fromhex("BF362E"))


def test_another_transaction_is_no_transaction_of_this_session() -> None:
    euicc, server, other = new_card(), SmallSmdp(), SmallSmdp()
    old = b""
    with Es10(euicc) as es10:
        for smdp in (other, server):
            begun = smdp.initiate_authentication(ADDRESS, es10.challenge(), es10.info1().raw)
            request = tlv.encode(
                0xBF38, begun.server_signed1, begun.server_signature1, begun.ci_key_to_be_used,
                begun.server_certificate, CtxParams1("X", bytes(4)).encode(),
            )  # fmt: skip
            answer = smdp.authenticate_client(ADDRESS, begun.transaction_id, es10.send(request))
            if smdp is other:
                old = tlv.encode(0xBF21, answer.smdp_signed2, answer.smdp_signature2, answer.smdp_certificate)
        assert es10.send(old).hex().endswith("020105"), "invalidTransactionId"
        assert decode_cancel_session_response(
            es10.send(CancelSessionRequest(b"another", 0).encode())
        ) == CancelSessionError(5)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("BF7F00", "6A88"), ("BF", "6A80"), ("BF2D", "6A80"), ("BF2E01", "6A80"), ("BF3800", "6A80"),
        ("BF2100", "6A80"), ("BF3E00", "6A80"), ("BF3E035C01FF", "6A80"), ("BF3100", "6A80"), ("BF3300", "6A80"),
        ("BF3003800101FF", "6A80"), ("BF3F00", "6A80"), ("BF4100", "6A80"), ("A000", "6A88"), ("8600", "6A88"),
        ("BF2900", "6A80"), ("BF3400", "6A80"),
    ],
)  # fmt: skip
def test_malformed_requests_get_status_words(request_: str, status: str) -> None:
    euicc = new_card()
    assert send(euicc, "00A4040010A0000005591010FFFFFFFF8900000100")[1] == "9000"
    assert send(euicc, f"80E29100{len(request_) // 2:02X}{request_}") == (b"", status)


def test_credentials_are_those_of_the_card() -> None:
    own = credentials_of_pki(OWN)
    with pytest.raises(CardCredentialsError, match="another card"):
        Euicc.create(MemoryStorage(), EID, credentials=own)
    with pytest.raises(CardCredentialsError, match="no card"):
        credentials_of_pki(pki.Pki(()))
    with pytest.raises(CardCredentialsError, match="no manufacturer"):
        make_credentials(OWN, Eid.with_check_digits("890111" + "0" * 24), NOW)


def test_a_new_card_is_certified_by_the_manufacturer_of_a_pki() -> None:
    source = pki.load_pki(own_files(Curve.NIST_P256, Curve.BRAINPOOL_P256R1))
    credentials = make_credentials(source, EID, NOW)
    assert isinstance(credentials, CardCredentials)
    assert len(credentials.identities) == 2
    euicc = Euicc.create(MemoryStorage(), EID, credentials=credentials)
    server = SmallSmdp(source)
    Lpa(euicc, server).download(CODE)
    lpa = Lpa(euicc, server)
    assert [done.failure for done in lpa.process_notifications()] == [None]
    chain = Trust([each.certificate for each in source.of_role(Role.CI)])
    assert chain.issuer_key_ids


def test_a_switch_is_signed_with_the_cards_key() -> None:
    euicc = new_card(SGP26)
    server = SmallSmdp(SGP26)
    lpa = Lpa(euicc, server)
    lpa.download(CODE)
    with Es10(euicc) as es10:
        es10.enable(FIRST)
    lpa.process_notifications()
    (note,) = server.notifications
    key = read_certificate(note.euicc_certificate, Role.EUICC).public_key
    signatures.verify(key, note.signature, note.notification.raw)
