"""The protection of bound profile packages, held against answers that other implementations computed."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.rsp import bsp, curves, tlv
from kswifi.rsp.errors import BspSecurityError, BspStructureError, RspDecodeError

DATA: Final = Path(__file__).parents[2] / "data" / "bsp"
VECTORS: Final[dict[str, Any]] = json.loads((DATA / "vectors.json").read_text())
KEYS: Final = bsp.BspKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))


def keys_of(vector: dict[str, str]) -> bsp.BspKeys:
    names = ("initial_mac_chaining_value", "s_enc", "s_mac")
    return bsp.BspKeys(*(bytes.fromhex(vector[name]) for name in names))


def protect(protector: bsp.BspProtector, tag: int, data: bytes) -> list[bytes]:
    return protector.authenticate(tag, data) if tag == 0x88 else protector.encrypt(tag, data)


def open_one(opener: bsp.BspOpener, tag: int, segment: bytes) -> bytes:
    return opener.verify(tag, segment) if tag == 0x88 else opener.decrypt(tag, segment)


def test_one_time_keys_agree_on_the_published_secret() -> None:
    vector = {name: bytes.fromhex(value) for name, value in VECTORS["one_time_keys"].items()}
    private = ec.derive_private_key(int.from_bytes(vector["smdp_otsk"], "big"), ec.SECP256R1())
    assert curves.point_octets(private) == vector["smdp_otpk"]
    assert curves.shared_secret(private, vector["euicc_otpk"]) == vector["shared_secret"]


@pytest.mark.parametrize("vector", VECTORS["derivations"])
def test_session_keys_are_the_published_ones(vector: dict[str, str]) -> None:
    secret, host_id, eid = (bytes.fromhex(vector[name]) for name in ("shared_secret", "host_id", "eid"))
    assert bsp.derive_session_keys(secret, host_id=host_id, eid=eid) == keys_of(vector)


@pytest.mark.parametrize(
    ("keys", "segments"),
    [
        (VECTORS["derivations"][1], VECTORS["session_key_segments"]),
        (VECTORS["profile_protection_keys"], VECTORS["profile_segments"]),
    ],
    ids=["session keys", "profile protection keys"],
)
def test_segments_are_the_published_ones_both_ways(keys: dict[str, str], segments: list[dict[str, str]]) -> None:
    protector, opener = bsp.BspProtector(keys_of(keys)), bsp.BspOpener(keys_of(keys))
    for vector in segments:
        tag, plaintext, segment = (
            int(vector["tag"], 16), bytes.fromhex(vector["plaintext"]), bytes.fromhex(vector["segment"]),
        )  # fmt: skip
        assert protect(protector, tag, plaintext) == [segment]
        assert open_one(opener, tag, segment) == plaintext


def test_a_bound_profile_package_of_another_server_opens() -> None:
    package = tlv.only((DATA / "bound_profile_package.bin").read_bytes(), 0xBF36)
    # Its segments are wrapped twice: see the README in its folder.
    parts = {item.tag: [unit.value for unit in tlv.walk(item.value)] for item in tlv.walk(package.value)}
    session = bsp.BspOpener(
        bsp.BspKeys(
            bytes.fromhex("ee3140eafd692b68eff40119b363bc6c"),
            bytes.fromhex("f11b921c302efb1df6bf218bf2de0dd8"),
            bytes.fromhex("8cd4d3a761eeac108641d5f4531a137e"),
        )
    )
    assert [session.decrypt(0x87, unit) for unit in parts[0xA0]] == [bytes.fromhex("bf2400")]
    metadata = b"".join(session.verify(0x88, unit) for unit in parts[0xA1])
    assert metadata.startswith(bytes.fromhex("bf25285a0a89000123456789012341"))
    profile = bsp.BspOpener(bsp.BspKeys(b"\x22" * 16, bytes(16), b"\x11" * 16))
    upp = b"".join(profile.decrypt(0x86, unit) for unit in parts[0xA3])
    assert len(upp) == 12_251
    assert hashlib.sha256(upp).hexdigest() == "43af15322855f89e565d6c0d56857ac7e42bd56883f54043b6e96487923720b3"


@pytest.mark.parametrize("tag", [0x86, 0x87, 0x88])
@settings(deadline=None, max_examples=40)
@given(data=st.binary(max_size=64), repeat=st.integers(0, 60))
def test_what_was_protected_opens_again_in_segments_that_fit(tag: int, data: bytes, repeat: int) -> None:
    data = data * repeat
    segments = protect(bsp.BspProtector(KEYS), tag, data)
    opener = bsp.BspOpener(KEYS)
    assert b"".join(open_one(opener, tag, segment) for segment in segments) == data
    assert all(len(segment) <= 1020 for segment in segments)


def test_full_segments_are_exactly_the_limit() -> None:
    assert [len(s) for s in bsp.BspProtector(KEYS).encrypt(0x86, bytes(1007))] == [1020]
    assert [len(s) for s in bsp.BspProtector(KEYS).encrypt(0x86, bytes(1008))] == [1020, 26]
    assert [len(s) for s in bsp.BspProtector(KEYS).authenticate(0x88, bytes(1008))] == [1020]
    assert [len(s) for s in bsp.BspProtector(KEYS).authenticate(0x88, bytes(1009))] == [1020, 11]


@pytest.mark.parametrize("tag", [0x86, 0x87, 0x88])
def test_flipping_any_octet_of_a_segment_is_refused(tag: int) -> None:
    [segment] = protect(bsp.BspProtector(KEYS), tag, b"ConfigureISDP or metadata, it does not matter")
    for place in range(len(segment)):
        for bit in (0x01, 0x80):
            broken = bytearray(segment)
            broken[place] ^= bit
            with pytest.raises((BspSecurityError, BspStructureError)):
                open_one(bsp.BspOpener(KEYS), tag, bytes(broken))


def test_segments_taken_out_repeated_or_exchanged_are_refused() -> None:
    first, second, third = bsp.BspProtector(KEYS).encrypt(0x86, bytes(3000))
    for order in ([second], [first, first], [first, third], [first, second, second]):
        opener = bsp.BspOpener(KEYS)
        for segment in order[:-1]:
            opener.decrypt(0x86, segment)
        with pytest.raises(BspSecurityError):
            opener.decrypt(0x86, order[-1])


def test_an_authenticated_segment_counts_as_well() -> None:
    """The counter makes the IV: a receiver that did not count the 88 would read noise."""
    protector = bsp.BspProtector(KEYS)
    clear, secret = protector.authenticate(0x88, b"metadata"), protector.encrypt(0x87, b"new keys")
    opener = bsp.BspOpener(KEYS)
    assert opener.verify(0x88, clear[0]) == b"metadata"
    assert opener.decrypt(0x87, secret[0]) == b"new keys"


def test_equal_segments_never_look_alike() -> None:
    segments = bsp.BspProtector(KEYS).encrypt(0x86, bytes(1007) * 4)
    assert all(one[4:-8] != next_one[4:-8] for one, next_one in pairwise(segments))


@settings(deadline=None, max_examples=150)
@given(tag=st.sampled_from([0x86, 0x87, 0x88]), garbage=st.binary(max_size=100))
def test_garbage_is_refused_and_leaves_the_opener_usable(tag: int, garbage: bytes) -> None:
    opener = bsp.BspOpener(KEYS)
    for attempt in (garbage, tlv.encode(tag, garbage)):
        with pytest.raises((BspSecurityError, BspStructureError)):
            open_one(opener, tag, attempt)
    [segment] = protect(bsp.BspProtector(KEYS), tag, b"after the garbage")
    assert open_one(opener, tag, segment) == b"after the garbage"


@pytest.mark.parametrize("padding", [bytes(16), b"\x80" + bytes(16), b"x" * 15 + b"\x01"])
def test_wrong_padding_under_a_right_mac_is_refused(padding: bytes) -> None:
    """Only someone who has the keys can make one: a server with a fault."""
    protector = bsp.BspProtector(KEYS)
    [segment] = protector.encrypt(0x86, padding.ljust(31, b"\x00"))
    plain = bsp.BspOpener(KEYS).decrypt(0x86, segment)
    assert plain == padding.ljust(31, b"\x00")
    with pytest.raises(BspStructureError):
        bsp._unpad(padding)


def test_a_segment_of_any_length_is_not_read() -> None:
    with pytest.raises(BspStructureError, match="too long"):
        bsp.BspOpener(KEYS).decrypt(0x86, tlv.encode(0x86, bytes(4096)))


def test_keys_of_another_length_and_keys_in_logs_are_refused() -> None:
    with pytest.raises(BspStructureError):
        bsp.BspKeys(bytes(16), bytes(16), bytes(15))
    assert repr(KEYS) == "BspKeys()"


@pytest.mark.parametrize("curve", list(curves.Curve))
def test_both_curves_agree_from_both_sides(curve: curves.Curve) -> None:
    server, card = curves.new_key(curve), curves.new_key(curve)
    secret = curves.shared_secret(server, curves.point_octets(card))
    assert secret == curves.shared_secret(card, curves.point_octets(server))
    assert len(secret) == 32
    other = next(each for each in curves.Curve if each is not curve)
    with pytest.raises(RspDecodeError):
        curves.shared_secret(curves.new_key(other), curves.point_octets(card))


@pytest.mark.parametrize("point", [b"", bytes(65), b"\x04" + bytes(64), b"\x04" * 66, b"\x02" + bytes(32)])
def test_points_that_are_none_are_refused(point: bytes) -> None:
    for curve in curves.Curve:
        with pytest.raises(RspDecodeError):
            curves.public_key_from_point(curve, point)


def test_fresh_protection_keys_come_from_the_source_given() -> None:
    pool = iter(range(256))
    keys = bsp.new_profile_protection_keys(lambda count: bytes(next(pool) for _ in range(count)))
    assert keys == bsp.BspKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))


def test_other_curves_are_unknown() -> None:
    with pytest.raises(RspDecodeError):
        curves.curve_of(ec.generate_private_key(ec.SECP384R1()))
