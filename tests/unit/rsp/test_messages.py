"""The structures of SGP.22: against an independent ASN.1 codec, against garbage, and their octets kept."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import asn1tools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.esim.smdp.rsp_model import PackageNeeds, check_card
from kswifi.rsp import bsp, fields, tlv
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.messages import (
    authentication,
    bound_profile_package,
    download,
    es9plus,
    euicc_info,
    metadata,
    notifications,
    profiles,
)

ASN1: Final = Path(__file__).parents[2] / "data" / "sgp22_subset.asn"
ORACLE: Final = asn1tools.compile_files(str(ASN1), "der")

TID: Final = b"0123456789abcdef"
CHALLENGE: Final = bytes(range(16))
SIGNATURE: Final = bytes(range(64))
SKI: Final = bytes(range(20))
OTPK: Final = b"\x04" + bytes(64)
ICCID: Final = bytes.fromhex("98001032547698103214")
CERT: Final = bytes.fromhex("3003800105")
EVENT_INSTALL: Final = (b"\x80", 1)
AID: Final = bytes.fromhex("A0000005591010FFFFFFFF8900001000")
INFO2: Final[dict[str, Any]] = {
    "profileVersion": b"\x02\x03\x01", "svn": b"\x02\x02\x02", "firmware": b"\x04\x05\x06",
    "resource": bytes.fromhex("81010082030a00008301c8"), "uicc": (b"\x48", 5), "rsp": (b"\x84", 6),
    "verify": [SKI], "sign": [SKI, SKI[::-1]], "category": 1, "ppVersion": b"\x00\x00\x01", "sas": "XX-YY-UP-0001",
}  # fmt: skip
CTX: Final = ("common", {"matchingId": "MATCH-1", "deviceInfo": {
    "tac": b"\x35\x29\x06\x11", "capabilities": {"gsm": b"\x08\x00\x00"}, "imei": bytes(8)}})  # fmt: skip
SIGNED1: Final = {"transactionId": TID, "euiccChallenge": CHALLENGE, "serverAddress": "rsp.example",
                  "serverChallenge": CHALLENGE[::-1]}  # fmt: skip
NOTIFICATION: Final = {"number": 300, "event": EVENT_INSTALL, "address": "rsp.example", "iccid": ICCID}

server_signed1 = authentication.ServerSigned1.build(
    transaction_id=TID, euicc_challenge=CHALLENGE, server_address="rsp.example", server_challenge=CHALLENGE[::-1]
)
ctx = authentication.CtxParams1("MATCH-1", b"\x35\x29\x06\x11", bytes(8), bytes.fromhex("8003080000"))
info2 = euicc_info.EuiccInfo2.build(
    svn=(2, 2, 2), profile_version=(2, 3, 1), firmware_version=(4, 5, 6),
    resource=euicc_info.ExtCardResource(0, 0x0A0000, 200),
    uicc_capability=[euicc_info.UiccCapability.USIM, euicc_info.UiccCapability.MILENAGE],
    rsp_capability=[euicc_info.RspCapability.ADDITIONAL_PROFILE, euicc_info.RspCapability.SERVICE_SPECIFIC_DATA],
    ci_keys=[SKI], sas_accreditation_number="XX-YY-UP-0001",
)  # fmt: skip
euicc_signed1 = authentication.EuiccSigned1.build(server_signed1, info2, ctx)
smdp_signed2 = download.SmdpSigned2.build(transaction_id=TID, cc_required=True, bpp_euicc_otpk=OTPK)
euicc_signed2 = download.EuiccSigned2.build(transaction_id=TID, euicc_otpk=OTPK, hash_cc=bytes(32))
cancel = download.CancelSessionSigned.build(transaction_id=TID, smdp_oid="2.999.10", reason=1)
note = notifications.NotificationMetadata.build(
    sequence_number=300, event=metadata.NotificationEvent.INSTALL, address="rsp.example", iccid=ICCID
)
success = notifications.InstallResultData.build(
    transaction_id=TID, notification=note, smdp_oid="1.3.6.1.4.1.31746.1",
    final_result=notifications.InstallSuccess(AID, b"\x30\x00"),
)  # fmt: skip
failure = notifications.InstallResultData.build(
    transaction_id=TID, notification=note, smdp_oid=None,
    final_result=notifications.InstallFailure(
        notifications.BppCommand.STORE_METADATA, notifications.InstallError.UNKNOWN_ERROR, b"x"
    ),
)  # fmt: skip
profile_metadata = metadata.ProfileMetadata(
    iccid=ICCID, service_provider_name="KSWiFi", profile_name="Naïve",
    icon_type=1, icon=b"\x89PNG", profile_class=2,
    notifications=(metadata.NotificationConfiguration(frozenset({0, 3}), "rsp.example"),),
    owner=metadata.ProfileOwner(b"\x26\xf1\x20", b"\x01"), policy_rules=frozenset({1}),
    service_specific_data=(metadata.ServiceSpecificData("1.3.6.1.4.1.31746.9", b"record"),),
)  # fmt: skip
CONFIGURATION: Final = [{"events": (b"\x90", 4), "address": "rsp.example"}]
profile_info = profiles.ProfileInfo(iccid=ICCID, aid=AID, state=1, nickname="", service_provider_name="KSWiFi",
    profile_name="one", icon_type=1, icon=b"i", profile_class=2,
    notifications=(metadata.NotificationConfiguration(frozenset({0, 3}), "rsp.example"),),
    owner=metadata.ProfileOwner(b"\x26\xf1\x20", None, b"\x02"), policy_rules=frozenset())  # fmt: skip
head = bound_profile_package.secure_channel_head(transaction_id=TID, host_id=b"host", smdp_otpk=OTPK)
keys = bsp.BspKeys(b"m" * 16, b"e" * 16, b"c" * 16)


class Es9Read:
    """A request of ES9+ that was read, which writes itself again."""

    def __init__(self, octets: bytes) -> None:
        self.request = es9plus.decode_request(octets)

    def encode(self) -> bytes:
        return es9plus.encode_request(self.request)


Row = tuple[str, Any, bytes, Callable[[bytes], object]]

# name in the oracle, its value, our octets, our decoder
ROWS: Final[list[Row]] = [
    ("EuiccInfo1", {"svn": b"\x02\x02\x02", "verify": [SKI], "sign": [SKI, SKI]},
     euicc_info.EuiccInfo1.build((2, 2, 2), [SKI], [SKI, SKI]).raw, euicc_info.EuiccInfo1.decode),
    ("EuiccInfo2", INFO2 | {"sign": [SKI]}, info2.raw, euicc_info.EuiccInfo2.decode),
    ("ServerSigned1", SIGNED1, server_signed1.raw, authentication.ServerSigned1.decode),
    ("AuthenticateServerRequest",
     {"signed": SIGNED1, "signature": SIGNATURE, "ski": SKI, "certificate": {"x": 5}, "ctx": CTX},
     authentication.AuthenticateServerRequest(server_signed1, SIGNATURE, SKI, CERT, ctx).encode(),
     authentication.AuthenticateServerRequest.decode),
    ("EuiccSigned1", {"transactionId": TID, "serverAddress": "rsp.example", "serverChallenge": CHALLENGE[::-1],
                      "info2": INFO2 | {"sign": [SKI]}, "ctx": CTX},
     euicc_signed1.raw, authentication.EuiccSigned1.decode),
    ("AuthenticateServerResponse", ("ok", {
        "signed": {"transactionId": TID, "serverAddress": "rsp.example", "serverChallenge": CHALLENGE[::-1],
                   "info2": INFO2 | {"sign": [SKI]}, "ctx": CTX},
        "signature": SIGNATURE, "euicc": {"x": 5}, "eum": {"x": 5}}),
     authentication.AuthenticateResponseOk(euicc_signed1, SIGNATURE, CERT, CERT).encode(),
     authentication.decode_authenticate_server_response),
    ("AuthenticateServerResponse", ("error", {"transactionId": TID, "code": 127}),
     authentication.AuthenticateResponseError(TID, 127).encode(),
     authentication.decode_authenticate_server_response),
    ("SmdpSigned2", {"transactionId": TID, "cc": True, "otpk": OTPK}, smdp_signed2.raw,
     download.SmdpSigned2.decode),
    ("PrepareDownloadRequest", {"signed": {"transactionId": TID, "cc": True, "otpk": OTPK}, "signature": SIGNATURE,
                                "hashCc": bytes(32), "certificate": {"x": 5}},
     download.PrepareDownloadRequest(smdp_signed2, SIGNATURE, bytes(32), CERT).encode(),
     download.PrepareDownloadRequest.decode),
    ("EuiccSigned2", {"transactionId": TID, "otpk": OTPK, "hashCc": bytes(32)}, euicc_signed2.raw,
     download.EuiccSigned2.decode),
    ("PrepareDownloadResponse", ("ok", {"signed": {"transactionId": TID, "otpk": OTPK, "hashCc": bytes(32)},
                                        "signature": SIGNATURE}),
     download.PrepareDownloadOk(euicc_signed2, SIGNATURE).encode(), download.decode_prepare_download_response),
    ("PrepareDownloadResponse", ("error", {"transactionId": TID, "code": 5}),
     download.PrepareDownloadError(TID, 5).encode(), download.decode_prepare_download_response),
    ("CancelSessionRequest", {"transactionId": TID, "reason": 1}, download.CancelSessionRequest(TID, 1).encode(),
     download.CancelSessionRequest.decode),
    ("CancelSessionResponse", ("error", 127), download.CancelSessionError(127).encode(),
     download.decode_cancel_session_response),
    ("StoreMetadata", {"iccid": ICCID, "spn": "KSWiFi", "name": "Naïve", "iconType": 1, "icon": b"\x89PNG",
                       "class": 2, "notifications": CONFIGURATION,
                       "owner": {"mccMnc": b"\x26\xf1\x20", "gid1": b"\x01"},
                       "rules": (b"\x40", 2), "data": [{"vendorOid": "1.3.6.1.4.1.31746.9", "data": b"record"}]},
     profile_metadata.encode(), metadata.ProfileMetadata.decode),
    ("StoreMetadata", {"iccid": ICCID, "spn": "a", "name": "b"}, metadata.ProfileMetadata(ICCID, "a", "b").encode(),
     metadata.ProfileMetadata.decode),
    ("ProfileListResponse", ("ok", [{"iccid": ICCID, "aid": AID, "state": 1, "nickname": "", "spn": "KSWiFi",
        "name": "one", "iconType": 1, "icon": b"i", "class": 2, "notifications": CONFIGURATION,
        "owner": {"mccMnc": b"\x26\xf1\x20", "gid2": b"\x02"}, "rules": (b"", 0)}, {"iccid": ICCID}]),
     profiles.encode_profile_list([profile_info, profiles.ProfileInfo(iccid=ICCID)]), profiles.decode_profile_list),
    ("ProfileListRequest", {"criteria": ("iccid", ICCID), "tags": bytes.fromhex("5a4f9f70")},
     profiles.ProfileListRequest(profiles.ProfileId.of_iccid(ICCID), None, (0x5A, 0x4F, 0x9F70)).encode(),
     profiles.ProfileListRequest.decode),
    ("ProfileListRequest", {"criteria": ("class", 2)}, profiles.ProfileListRequest(profile_class=2).encode(),
     profiles.ProfileListRequest.decode),
    ("NotificationMetadata", NOTIFICATION, note.raw, notifications.NotificationMetadata.decode),
    ("InstallResult", {"data": {"transactionId": TID, "metadata": NOTIFICATION, "oid": "1.3.6.1.4.1.31746.1",
                                "final": ("success", {"aid": AID, "response": b"\x30\x00"})},
      "signature": SIGNATURE},
     notifications.InstallResult(success, SIGNATURE).encode(), notifications.decode_pending_notification),
    ("InstallResult", {"data": {"transactionId": TID, "metadata": NOTIFICATION, "final": (
        "failure", {"command": 2, "reason": 127, "response": b"x"})}, "signature": SIGNATURE},
     notifications.InstallResult(failure, SIGNATURE).encode(), notifications.decode_pending_notification),
    ("OtherNotification", {"tbs": NOTIFICATION, "signature": SIGNATURE, "euicc": {"x": 5}, "eum": {"x": 5}},
     notifications.OtherSignedNotification(note, SIGNATURE, CERT, CERT).encode(),
     notifications.decode_pending_notification),
    ("InitialiseSecureChannel", {"op": 1, "transactionId": TID, "template": {
        "keyType": b"\x88", "keyLen": b"\x10", "hostId": b"host"}, "otpk": OTPK, "signature": SIGNATURE},
     bound_profile_package.InitialiseSecureChannel.build(head, SIGNATURE).raw,
     bound_profile_package.InitialiseSecureChannel.decode),
    ("ReplaceSessionKeys", {"mcv": b"m" * 16, "enc": b"e" * 16, "mac": b"c" * 16},
     bound_profile_package.encode_replace_session_keys(keys), bound_profile_package.decode_replace_session_keys),
    ("SwitchRequest", {"profile": ("aid", AID), "refresh": True},
     profiles.ProfileSwitchRequest(profiles.ProfileId.of_aid(AID), True).encode(profiles.TAG_ENABLE_PROFILE),
     lambda octets: profiles.ProfileSwitchRequest.decode(octets, profiles.TAG_ENABLE_PROFILE)),
    ("DeleteRequest", ("iccid", ICCID), tlv.encode(0xBF33, profiles.ProfileId.of_iccid(ICCID).encode()),
     profiles.decode_delete_request),
    ("NicknameRequest", {"iccid": ICCID, "nickname": "mine"}, profiles.encode_nickname_request(ICCID, "mine"),
     profiles.decode_nickname_request),
    ("Result", {"status": 127}, profiles.encode_result(0xBF30, 127), lambda o: profiles.decode_result(o, 0xBF30)),
    ("Addresses", {"dp": "rsp.example", "ds": "ds.example"},
     profiles.encode_configured_addresses("rsp.example", "ds.example"), profiles.decode_configured_addresses),
    ("Addresses", {"ds": "ds.example"}, profiles.encode_configured_addresses(None, "ds.example"),
     profiles.decode_configured_addresses),
    ("Es9Request", ("initiate", {"challenge": CHALLENGE, "address": "rsp.example",
                                 "info1": {"svn": b"\x02\x02\x02", "verify": [SKI], "sign": [SKI]}}),
     es9plus.encode_request(es9plus.InitiateAuthenticationRequest(
         CHALLENGE, "rsp.example", euicc_info.EuiccInfo1.build((2, 2, 2), [SKI], [SKI]).raw)), Es9Read),
    ("Es9Request", ("client", {"transactionId": TID, "message": ("error", {"transactionId": TID, "code": 127})}),
     es9plus.encode_request(es9plus.AuthenticateClientRequest(
         TID, authentication.AuthenticateResponseError(TID, 127).encode())), Es9Read),
    ("Es9Request", ("package", {"transactionId": TID, "message": ("error", {"transactionId": TID, "code": 5})}),
     es9plus.encode_request(es9plus.GetBoundProfilePackageRequest(
         TID, download.PrepareDownloadError(TID, 5).encode())), Es9Read),
    ("Es9Request", ("cancel", {"transactionId": TID, "message": ("ok", {
        "signed": {"transactionId": TID, "smdpOid": "1.3.6.1.4.1.31746.1", "reason": 1}, "signature": SIGNATURE})}),
     es9plus.encode_request(es9plus.CancelSessionRequestEs9(TID, download.CancelSessionOk(
         download.CancelSessionSigned.build(transaction_id=TID, smdp_oid="1.3.6.1.4.1.31746.1", reason=1),
         SIGNATURE).encode())), Es9Read),
    ("Es9Request", ("notification", {"pending": ("other", {
        "tbs": NOTIFICATION, "signature": SIGNATURE, "euicc": {"x": 5}, "eum": {"x": 5}})}),
     es9plus.encode_request(es9plus.HandleNotificationRequest(
         notifications.OtherSignedNotification(note, SIGNATURE, CERT, CERT).encode())), Es9Read),
    ("Es9Response", ("initiate", ("ok", {"transactionId": TID, "signed": SIGNED1, "signature": SIGNATURE, "ci": SKI,
                                         "certificate": {"x": 5}})),
     es9plus.initiate_authentication_ok(TID, server_signed1.raw, SIGNATURE, SKI, CERT),
     partial(es9plus.decode_response, tag=0xBF39)),
    ("Es9Response", ("client", ("ok", {
        "transactionId": TID, "metadata": {"iccid": ICCID, "spn": "a", "name": "b"},
        "signed": {"transactionId": TID, "cc": True, "otpk": OTPK}, "signature": SIGNATURE,
        "certificate": {"x": 5}})),
     es9plus.authenticate_client_ok(
         TID, metadata.ProfileMetadata(ICCID, "a", "b").encode(), smdp_signed2.raw, SIGNATURE, CERT),
     partial(es9plus.decode_response, tag=0xBF3B)),
    ("Es9Response", ("package", ("ok", {"transactionId": TID, "package": {"x": 5}})),
     es9plus.get_bound_profile_package_ok(TID, bytes.fromhex("BF3603800105")),
     partial(es9plus.decode_response, tag=0xBF3A)),
    ("Es9Response", ("cancel", ("ok", {})), es9plus.cancel_session_ok(),
     partial(es9plus.decode_response, tag=0xBF41)),
    *(("Es9Response", (name, ("error", 127)), es9plus.encode_error(tag, 127),
       partial(es9plus.decode_response, tag=tag))
      for name, tag in (("initiate", 0xBF39), ("client", 0xBF3B), ("package", 0xBF3A), ("cancel", 0xBF41))),
    ("EuiccData", {"eid": bytes(range(16))}, profiles.encode_eid(bytes(range(16))), profiles.decode_eid),
]  # fmt: skip
NAMES: Final = [f"{index} {row[0]}" for index, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_we_write_what_an_independent_codec_writes(row: Row) -> None:
    name, value, octets, _ = row
    assert octets.hex() == ORACLE.encode(name, value).hex()


# What SGP.22 types as an OCTET STRING without a size: another specification has its content, or a later check.
OPAQUE: Final = frozenset({"resource", "signature", "response", "gid1", "gid2", "icon", "otpk", "ski"})
JUNK: Final = (b"ABC", b"\x84\xff", bytes(63))


def with_junk(value: Any, junk: bytes) -> Iterator[Any]:
    """Yield copies of an oracle's value, each with one opaque field replaced."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict | list):
        yield from ((value[0], inner) for inner in with_junk(value[1], junk))
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in with_junk(entry, junk))
    elif isinstance(value, dict):
        for name, entry in value.items():
            if name in OPAQUE:
                yield value | {name: junk}
            elif isinstance(entry, dict | list | tuple):
                yield from (value | {name: changed} for changed in with_junk(entry, junk))


OPAQUE_CASES: Final = [
    (row[0], changed, row[3]) for row in ROWS for junk in JUNK for changed in with_junk(row[1], junk)
]


@pytest.mark.parametrize(("name", "value", "decode"), OPAQUE_CASES)
def test_what_the_standard_leaves_opaque_is_read_whatever_it_holds(
    name: str, value: Any, decode: Callable[[bytes], object]
) -> None:
    decode(ORACLE.encode(name, value))


def test_opaque_fields_of_every_kind_are_among_the_cases() -> None:
    assert len(OPAQUE_CASES) > 60
    assert sum(name == "AuthenticateServerResponse" for name, _, _ in OPAQUE_CASES) == 2 * len(JUNK)


@pytest.mark.parametrize(
    "resource", [b"ABC", b"", bytes.fromhex("810100820100"), bytes.fromhex("8101008200830100")]
)
def test_a_card_resource_in_another_form_leaves_the_memory_unknown(resource: bytes) -> None:
    read = euicc_info.EuiccInfo2.decode(ORACLE.encode("EuiccInfo2", INFO2 | {"resource": resource}))
    assert read.ext_card_resource is None
    check_card(PackageNeeds(frozenset(), 1 << 30), read)  # nothing says that the card lacks memory


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_what_we_read_writes_itself_again(row: Row) -> None:
    _, _, octets, decode = row
    read = decode(octets)
    if hasattr(read, "raw"):
        assert read.raw == octets
    elif hasattr(read, "encode") and not isinstance(
        read, (bytes, profiles.ProfileSwitchRequest, profiles.ProfileId)
    ):
        assert read.encode() == octets


def test_values_are_read_as_they_were_meant() -> None:
    response = authentication.decode_authenticate_server_response(ROWS[5][2])
    assert isinstance(response, authentication.AuthenticateResponseOk)
    assert response.transaction_id == TID
    signed = response.euicc_signed1
    assert signed.raw == euicc_signed1.raw
    assert signed.ctx_params1 == ctx
    assert signed.euicc_info2.svn == (2, 2, 2)
    assert signed.euicc_info2.ext_card_resource is not None
    assert signed.euicc_info2.ext_card_resource.free_non_volatile_octets == 0x0A0000
    assert euicc_info.RspCapability.SERVICE_SPECIFIC_DATA in signed.euicc_info2.rsp_capability
    assert euicc_info.UiccCapability.MILENAGE in signed.euicc_info2.uicc_capability
    assert metadata.ProfileMetadata.decode(profile_metadata.encode()) == profile_metadata
    assert profiles.decode_profile_list(ROWS[16][2]) == (profile_info, profiles.ProfileInfo(iccid=ICCID))
    assert note.event is metadata.NotificationEvent.INSTALL
    assert note.sequence_number == 300


def test_object_identifiers_are_right_where_the_oracle_is_wrong() -> None:
    """asn1tools reads arcs below 2 that are 40 or more wrongly; 2.999 is the GSMA's own example."""
    assert fields.oid_octets("2.999.10") == bytes.fromhex("88370a")
    for dotted in ("2.999.10", "1.3.6.1.4.1.31746.1", "0.39", "1.39.4", "2.0", "2.47.128", "2.16383.1"):
        assert fields.oid_text(fields.oid_octets(dotted)) == dotted
    for broken in ("", "88", "2a8001", "8037"):
        with pytest.raises(ValueError, match="an "):
            fields.oid_text(bytes.fromhex(broken))
    signed = download.decode_cancel_session_response(download.CancelSessionOk(cancel, SIGNATURE).encode())
    assert isinstance(signed, download.CancelSessionOk)
    assert (signed.signed.smdp_oid, signed.signed.reason) == ("2.999.10", 1)
    assert cancel.raw.hex() == "301a8010" + TID.hex() + "810388370a" + "820101"


@settings(deadline=None, max_examples=100)
@given(arcs=st.lists(st.integers(0, 1 << 40), max_size=6), first=st.integers(0, 2), second=st.integers(0, 39))
def test_object_identifiers_survive(arcs: list[int], first: int, second: int) -> None:
    dotted = ".".join(map(str, [first, second, *arcs]))
    assert fields.oid_text(fields.oid_octets(dotted)) == dotted


@settings(deadline=None, max_examples=100)
@given(bits=st.frozensets(st.integers(0, 40)), number=st.integers(-(1 << 63), (1 << 63) - 1))
def test_bits_and_integers_survive_and_are_shortest(bits: frozenset[int], number: int) -> None:
    value = fields.encode_bits(0x81, bits) + fields.encode_integer(0x80, number)
    read = fields.Fields(value, "test")
    assert read.bits(0x81) == bits
    assert read.integer(0x80) == number
    assert fields.encode_integer(0x02, 128) == bytes.fromhex("02020080")
    assert fields.encode_integer(0x02, -128) == bytes.fromhex("020180")


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_garbage_raises_nothing_but_our_error(row: Row, data: st.DataObject) -> None:
    _, _, octets, decode = row
    garbage = data.draw(st.binary(max_size=60))
    place = data.draw(st.integers(0, len(octets)))
    tag = octets[:2] if octets[0] & 0x1F == 0x1F else octets[:1]
    wrapped = tlv.encode(int.from_bytes(tag, "big"), garbage)
    changed = octets[:place] + garbage + octets[place + len(garbage) :]
    for attempt in (garbage, wrapped, changed, octets[:place], octets[place:]):
        try:
            decode(attempt)
        except RspDecodeError as error:
            assert error.code == "rsp_decode_error"  # noqa: PT017 - most of these are refused, some may be read


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_unknown_extensions_are_tolerated(row: Row) -> None:
    """EXTENSIBILITY IMPLIED: a later version may add fields at the end of any SEQUENCE."""
    name, _, octets, decode = row
    if name == "Es9Request":  # a CHOICE, whose alternative may have more fields
        inner = tlv.read(tlv.only(octets, 0xA2).value)[0]
        decode(tlv.encode(0xA2, tlv.encode(inner.tag, inner.value, bytes.fromhex("9f7a0101"))))
        return
    if name == "Es9Response":
        return
    item = tlv.only(octets, int.from_bytes(octets[:2] if octets[0] & 0x1F == 0x1F else octets[:1], "big"))
    extended = tlv.encode(item.tag, item.value, bytes.fromhex("9f7a0101"))
    if item.value[:1] in (b"\xa0", b"\xa1", b"\x81") and item.tag in (0xBF21, 0xBF2D, 0xBF38, 0xBF41):
        return  # a CHOICE has one alternative
    if item.tag != 0xBF33:
        decode(extended)


@pytest.mark.parametrize(
    ("decode", "octets"),
    [
        (authentication.ServerSigned1.decode, "3000"),
        (authentication.ServerSigned1.decode, tlv.encode(0x30, tlv.encode(0x80, b"")).hex()),
        (authentication.ServerSigned1.decode, server_signed1.raw.replace(b"rsp.example", b"rsp.ex\xffmpl").hex()),
        (authentication.decode_authenticate_server_response, "bf3802a200"),
        (authentication.decode_authenticate_server_response, "bf3804a000a000"),
        (authentication.decode_authenticate_server_response, "bf3800"),
        (authentication.CtxParams1.decode, "a010a10e800835290611000000008100a100a100"),
        (download.decode_prepare_download_response, "bf2102a300"),
        (download.decode_cancel_session_response, "bf4102a300"),
        (download.decode_cancel_session_response, "bf410b8109010203040506070809"),
        (notifications.NotificationMetadata.decode, "bf2f0a800101810206c00c0161"),
        (notifications.NotificationMetadata.decode, "bf2f0a800101810203080c0161"),
        (profiles.ProfileListRequest.decode, "bf2d04a0028000"),
        (profiles.decode_profile_list, "bf2d028200"),
        (bound_profile_package.decode_replace_session_keys, "bf2603800101"),
    ],
)
def test_what_is_out_of_bounds_is_refused(decode: Callable[[bytes], object], octets: str) -> None:
    with pytest.raises(RspDecodeError):
        decode(bytes.fromhex(octets))


def test_names_and_icons_that_a_card_need_not_take_are_not_sent() -> None:
    for too_long in (
        metadata.ProfileMetadata(ICCID, "é" * 17, "b"),
        metadata.ProfileMetadata(ICCID, "a", "b" * 65),
        metadata.ProfileMetadata(ICCID, "a", "b", 1, bytes(1025)),
    ):
        with pytest.raises(RspDecodeError):
            too_long.encode()


def test_queries_for_notifications() -> None:
    query = profiles.NotificationQuery.decode_retrieve
    assert query(ORACLE.encode("RetrieveRequest", {"criteria": ("number", 7)})).sequence_number == 7
    assert query(ORACLE.encode("RetrieveRequest", {"criteria": ("event", (b"\x10", 4))})).events == frozenset({3})
    assert query(ORACLE.encode("RetrieveRequest", {})) == profiles.NotificationQuery()
    listed = profiles.NotificationQuery.decode_list(ORACLE.encode("ListRequest", {"event": (b"\xc0", 2)}))
    assert listed.events == frozenset({0, 1})
    assert notifications.encode_notification_list(0xBF28, [note.raw]).startswith(b"\xbf\x28")


def test_an_mcc_and_mnc_are_three_octets() -> None:
    with pytest.raises(RspDecodeError):
        metadata.ProfileOwner.decode(bytes.fromhex("80020102"))


def test_requests_of_es9_are_read_with_the_tags_of_other_senders_too() -> None:
    cancelled = download.CancelSessionError(5).encode()
    for sent in (cancelled, tlv.encode(0xA1, cancelled), tlv.encode(0xA1, tlv.only(cancelled, 0xBF41).value)):
        octets = tlv.encode(0xA2, tlv.encode(0xBF41, tlv.encode(0x80, TID), sent))
        assert es9plus.decode_request(octets) == es9plus.CancelSessionRequestEs9(TID, cancelled)
    pending = notifications.InstallResult(success, SIGNATURE).encode()
    bare = tlv.encode(0xA2, tlv.encode(0xBF3D, pending))
    assert es9plus.decode_request(bare) == es9plus.HandleNotificationRequest(pending)


@pytest.mark.parametrize("octets", [b"", b"\xa2\x00", bytes.fromhex("a203bf3d00"), bytes.fromhex("a203bf4000")])
def test_what_is_no_request_of_es9_is_refused(octets: bytes) -> None:
    with pytest.raises(RspDecodeError):
        es9plus.decode_request(octets)
