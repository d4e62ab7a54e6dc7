"""Whatever octets arrive, the card answers a status word, keeps its invariants and stays readable."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.state import decode_state
from tests.support.cards import EID, enable, iccid, profile_package
from tests.support.memory_storage import MemoryStorage

PREPARED = MemoryStorage()
_CARD = Euicc.create(PREPARED, EID)
for _number in (1, 2):
    _CARD.load_profile_package(profile_package(_number))
enable(_CARD, iccid(1))

CLASSES = st.sampled_from([0x00, 0x01, 0x80, 0x81, 0x10, 0x90, 0x40, 0xA0, 0xFF])
INSTRUCTIONS = st.sampled_from(
    [
        *(0x20, 0x2C, 0x70, 0x78, 0x88, 0xA4, 0xB0, 0xB2, 0xC0, 0xC2, 0xCA, 0xCB, 0xD6, 0xDB, 0xDC, 0xE2, 0xF2),
        *(0x04, 0x00),
    ]
)
KNOWN_DATA = st.sampled_from(
    [
        bytes.fromhex(text)
        for text in (
            "3F00", "7FFF", "2FE2", "6F07", "5F10", "4F01", "7FFF5F104F01", "A0000000871002",
            "A0000005591010FFFFFFFF8900000100", "BF2D00", "BF2D045C025A9F", "BF3E035C015A",
            "BF3111A00C5A0A" + iccid(2).to_bytes().hex() + "8101FF",
            "BF3211A00C5A0A" + iccid(2).to_bytes().hex() + "810100", "BF330C5A0A" + iccid(1).to_bytes().hex(),
            "3837363534333231", "3030303030303030", "10" + "00" * 16 + "10" + "00" * 16,
        )
    ]
)  # fmt: skip


PARAMETERS = st.one_of(
    st.sampled_from(
        [
            bytes.fromhex(text)
            for text in ("0000", "0400", "040C", "0804", "080C", "0104", "0204", "9100", "0081", "000A", "8001")
        ]
    ),
    st.binary(min_size=2, max_size=2),
)


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    header = bytes([draw(CLASSES), draw(INSTRUCTIONS)]) + draw(PARAMETERS)
    data = draw(st.one_of(st.just(b""), KNOWN_DATA, st.binary(min_size=1, max_size=255)))
    le = draw(st.sampled_from([b"", b"\x00", b"\x0a", b"\xa0"]))
    return header + (bytes([len(data)]) + data if data else b"") + le


def fresh() -> tuple[Euicc, MemoryStorage]:
    storage = MemoryStorage()
    storage.save(PREPARED.load())
    return Euicc.open(storage), storage


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(commands(), commands(), st.binary(max_size=300)), max_size=30))
def test_any_commands_get_status_words(sequence: list[bytes]) -> None:
    euicc, storage = fresh()
    for command in sequence:
        response = euicc.transmit(command)
        assert 2 <= len(response) <= 258
        assert response[-2] >> 4 in (0x6, 0x9), response.hex()
    state = decode_state(storage.load())
    assert sum(profile.enabled for profile in state.profiles) <= 1
    assert state.free_octets() > 0
    Euicc.open(storage)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_an_altered_package_is_installed_or_refused_never_half(changes: list[tuple[int, int]]) -> None:
    euicc, storage = fresh()
    before = storage.load()
    octets = bytearray(profile_package(3))
    for offset, value in changes:
        octets[offset % len(octets)] = value
    reason = None
    try:
        euicc.load_profile_package(bytes(octets))
    except ProfileRefusedError as error:
        reason = error.reason
    assert reason in (None, "malformed", "unsupported", "already_installed", "no_memory")
    if reason is None:
        assert len(decode_state(storage.load()).profiles) == 3
    else:
        assert storage.load() == before


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=400))
def test_any_octets_are_refused_as_a_package(octets: bytes) -> None:
    euicc, _ = fresh()
    with pytest.raises(ProfileRefusedError) as caught:
        euicc.load_profile_package(octets)
    assert caught.value.reason == "malformed"
