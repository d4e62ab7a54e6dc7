"""BER-TLV: what is read is what was written, and nothing malformed gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.rsp import tlv

TAGS = st.sampled_from([0x80, 0x5A, 0xA0, 0x30, 0xBF22, 0x5F37, 0x9F70, 0x7F8201])


@given(TAGS, st.binary(max_size=70_000))
def test_what_is_read_is_what_was_written(tag: int, value: bytes) -> None:
    octets = tlv.encode(tag, value)
    item, end = tlv.read(octets)
    assert (item.tag, item.value, item.raw, end) == (tag, value, octets, len(octets))


@given(st.binary(max_size=64))
def test_garbage_is_refused_with_the_codecs_own_error(octets: bytes) -> None:
    try:
        items = list(tlv.walk(octets))
    except tlv.TlvError:
        return
    assert b"".join(item.raw for item in items) == octets


@given(TAGS, st.binary(min_size=1, max_size=300), st.data())
def test_a_cut_data_object_is_refused(tag: int, value: bytes, data: st.DataObject) -> None:
    octets = tlv.encode(tag, value)
    with pytest.raises(tlv.TlvError):
        tlv.read(octets[: data.draw(st.integers(0, len(octets) - 1))])


def test_the_header_of_a_truncated_object_can_be_read() -> None:
    assert tlv.read_header(bytes.fromhex("bf36820400")) == (0xBF36, 5, 0x400)


def test_constructed_is_read_from_the_first_octet() -> None:
    assert tlv.is_constructed(0xBF22)
    assert not tlv.is_constructed(0x5F37)


def test_a_tag_that_comes_twice_and_surplus_octets_are_refused() -> None:
    with pytest.raises(tlv.TlvError, match="twice"):
        tlv.children(bytes.fromhex("800101800102"))
    with pytest.raises(tlv.TlvError, match="follow"):
        tlv.only(bytes.fromhex("80010100"), 0x80)
    with pytest.raises(tlv.TlvError, match="expected"):
        tlv.only(bytes.fromhex("810101"), 0x80)


@pytest.mark.parametrize("octets", ["8080", "808400000001ff", "1f", "1fffffff00"])
def test_indefinite_lengths_and_overlong_tags_are_refused(octets: str) -> None:
    with pytest.raises(tlv.TlvError):
        tlv.read(bytes.fromhex(octets))
