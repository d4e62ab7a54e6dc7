"""Binding a profile to a card and opening it there, piece by piece."""

import contextlib
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.rsp import binding, bsp, curves, signatures, tlv
from kswifi.rsp.errors import BoundProfileRefusedError, RspDecodeError
from kswifi.rsp.messages import bound_profile_package as bpp
from kswifi.rsp.messages.metadata import IconType, ProfileMetadata

EID: Final = bytes.fromhex("89049032123451234512345678901235")
TRANSACTION: Final = b"transaction-0001"
METADATA: Final = ProfileMetadata(
    iccid=bytes.fromhex("98001032547698103214"),
    service_provider_name="KSWiFi",
    profile_name="KSWiFi",
    icon_type=IconType.PNG,
    icon=bytes(range(256)) * 4,
).encode()
PROFILE: Final = bytes(range(251)) * 30

Pair = tuple[bytes, binding.CardSecrets]


def bound(
    curve: curves.Curve = curves.Curve.NIST_P256, *, profile: bytes = PROFILE, session_keys: bool = False
) -> Pair:
    signing, server, card = (curves.new_key(curve) for _ in range(3))
    package = binding.bind_profile(
        profile,
        METADATA,
        card=binding.CardBinding(TRANSACTION, EID, curves.point_octets(card), b"host"),
        one_time_key=server,
        signing_key=signing,
        protection_keys=None if session_keys else bsp.BspKeys(b"c" * 16, b"e" * 16, b"m" * 16),
    )
    return package, binding.CardSecrets(TRANSACTION, EID, card, signing.public_key())


def opened(pieces: list[bytes], secrets: binding.CardSecrets) -> list[binding.Opened]:
    opener = binding.PackageOpener(secrets)
    return [event for piece in pieces for event in opener.feed(piece)]


def profile_of(events: list[binding.Opened]) -> bytes:
    return b"".join(event.octets for event in events if isinstance(event, binding.ProfileOctets))


@pytest.mark.parametrize("curve", list(curves.Curve))
@pytest.mark.parametrize("session_keys", [False, True])
def test_a_card_opens_what_a_server_bound(curve: curves.Curve, session_keys: bool) -> None:
    package, secrets = bound(curve, session_keys=session_keys)
    events = opened(list(bpp.units(package)), secrets)
    assert events[0] == binding.IspdConfigured(bpp.CONFIGURE_ISDP)
    assert events[1] == binding.MetadataStored(METADATA)
    assert profile_of(events) == PROFILE
    assert events[-1] == binding.PackageComplete()


def test_units_are_the_pieces_of_the_standard_and_lose_nothing() -> None:
    package, _ = bound()
    pieces = list(bpp.units(package))
    assert b"".join(pieces) == package
    assert [piece[0] for piece in pieces] == [0xBF, 0xA0, 0xA1, 0x88, 0x88, 0xA2, 0xA3, *[0x86] * 8]
    assert len(METADATA) > bsp.MAX_AUTHENTICATED_PLAINTEXT, "name and icon take several 88"
    assert all(len(piece) <= 1020 for piece in pieces)
    assert len(pieces[2]) < 5
    assert len(pieces[6]) < 5


@settings(deadline=None, max_examples=15)
@given(size=st.one_of(st.integers(1, 40), st.integers(41, 9000)), session_keys=st.booleans())
def test_pieces_of_any_size_open_to_the_same(size: int, session_keys: bool) -> None:
    package, secrets = bound(session_keys=session_keys)
    pieces = [package[start : start + size] for start in range(0, len(package), size)]
    events = opened(pieces, secrets)
    assert profile_of(events) == PROFILE
    assert events.count(binding.PackageComplete()) == 1


def test_flipping_any_octet_of_a_package_is_refused() -> None:
    package, secrets = bound(profile=bytes(40))
    for place in range(len(package)):
        if 400 < place < len(package) - 330 and place % 17:
            continue  # within the icon every seventeenth octet is enough
        broken = bytearray(package)
        broken[place] ^= 0x04
        opener = binding.PackageOpener(secrets)
        with contextlib.suppress(BoundProfileRefusedError):
            events = opener.feed(bytes(broken))
            assert binding.PackageComplete() not in events, f"octet {place} may be anything"


@pytest.mark.parametrize("protected", [False, True])
def test_the_profile_is_unreadable_in_the_package(protected: bool) -> None:
    package, _ = bound(profile=b"the key of a subscriber" * 50, session_keys=not protected)
    assert b"the key of" not in package


def refusal(package: bytes, secrets: binding.CardSecrets) -> tuple[int, int]:
    opener = binding.PackageOpener(secrets)
    with pytest.raises(BoundProfileRefusedError) as caught:
        opener.feed(package)
    with pytest.raises(BoundProfileRefusedError):
        opener.feed(b"\x86\x00")
    return caught.value.command, caught.value.reason


def test_another_card_another_server_and_another_transaction_are_refused() -> None:
    package, secrets = bound()
    key = curves.new_key(curves.Curve.NIST_P256)
    other_key = binding.CardSecrets(TRANSACTION, EID, key, secrets.smdp_public_key)
    assert refusal(package, other_key) == (0, 2), "the signature names the card's one-time key"
    other_server = binding.CardSecrets(TRANSACTION, EID, secrets.one_time_key, key.public_key())
    assert refusal(package, other_server) == (0, 2)
    other_transaction = binding.CardSecrets(b"x", EID, secrets.one_time_key, secrets.smdp_public_key)
    assert refusal(package, other_transaction) == (0, 3)
    other_eid = binding.CardSecrets(TRANSACTION, EID[::-1], secrets.one_time_key, secrets.smdp_public_key)
    assert refusal(package, other_eid) == (1, 8), "the EID is in the key derivation"


def signed_package(head: bytes, signing: ec.EllipticCurvePrivateKey, card: ec.EllipticCurvePrivateKey) -> bytes:
    signature = signatures.sign(signing, head + tlv.encode(0x5F49, curves.point_octets(card)))
    initialise = bpp.InitialiseSecureChannel.build(head, signature)
    return bpp.encode_bound_profile_package(initialise, [], [], [], [])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("820101", "820102", 5), ("800188", "800180", 4), ("810110", "810120", 4)],
)
def test_signed_requests_the_card_does_not_support_are_named(old: str, new: str, reason: int) -> None:
    signing, card = (curves.new_key(curves.Curve.NIST_P256) for _ in range(2))
    head = bpp.secure_channel_head(
        transaction_id=TRANSACTION, host_id=b"host", smdp_otpk=curves.point_octets(card)
    ).replace(bytes.fromhex(old), bytes.fromhex(new), 1)
    secrets = binding.CardSecrets(TRANSACTION, EID, card, signing.public_key())
    assert refusal(signed_package(head, signing, card), secrets) == (0, reason)


def test_a_one_time_key_off_the_curve_is_refused_by_both_sides() -> None:
    signing, card = (curves.new_key(curves.Curve.NIST_P256) for _ in range(2))
    off_curve = b"\x04" + b"\x01" * 64
    head = bpp.secure_channel_head(transaction_id=TRANSACTION, host_id=b"host", smdp_otpk=off_curve)
    secrets = binding.CardSecrets(TRANSACTION, EID, card, signing.public_key())
    assert refusal(signed_package(head, signing, card), secrets) == (0, 1)
    with pytest.raises(RspDecodeError):
        binding.bind_profile(
            b"", METADATA, card=binding.CardBinding(TRANSACTION, EID, off_curve, b"h"),
            one_time_key=card, signing_key=signing, protection_keys=None,
        )  # fmt: skip


def test_commands_left_out_or_exchanged_are_refused() -> None:
    package, secrets = bound()
    _, start, _ = tlv.read_header(package)
    head, *parts = (item.raw for item in tlv.walk(package[start:]))
    for order in (parts[1:], [parts[1], parts[0], *parts[2:]], [*parts[:2], parts[3]], [*parts, parts[3]]):
        opener = binding.PackageOpener(secrets)
        with pytest.raises(BoundProfileRefusedError):
            opener.feed(tlv.encode(0xBF36, head, *order))


def test_a_package_with_octets_behind_it_is_refused() -> None:
    package, secrets = bound()
    with pytest.raises(BoundProfileRefusedError):
        opened([package + b"\x00"], secrets)
    with pytest.raises(BoundProfileRefusedError):
        opened([package, b"\x00"], secrets)


def test_a_command_without_end_is_not_gathered() -> None:
    package, secrets = bound()
    _, start, _ = tlv.read_header(package)
    head, configure, *_ = (item.raw for item in tlv.walk(package[start:]))
    endless = tlv.encode(0xBF36, head, configure, b"\xa1\x83\xff\xff\xff")
    with pytest.raises(BoundProfileRefusedError, match="too long"):
        opened([endless], secrets)


@settings(deadline=None, max_examples=150)
@given(garbage=st.binary(max_size=200), cut=st.integers(0, 600), size=st.integers(1, 300))
def test_garbage_is_refused_or_waited_for_and_never_opened(garbage: bytes, cut: int, size: int) -> None:
    package, secrets = PACKAGE
    octets = package[:cut] + garbage
    opener = binding.PackageOpener(secrets)
    try:
        events = [event for at in range(0, len(octets), size) for event in opener.feed(octets[at : at + size])]
    except BoundProfileRefusedError:
        return
    assert binding.PackageComplete() not in events


@settings(deadline=None, max_examples=200)
@given(garbage=st.binary(max_size=80))
def test_units_of_garbage_are_refused(garbage: bytes) -> None:
    for octets in (garbage, tlv.encode(0xBF36, garbage)):
        with contextlib.suppress(RspDecodeError):
            assert b"".join(bpp.units(octets)) == octets


PACKAGE: Final = bound()
