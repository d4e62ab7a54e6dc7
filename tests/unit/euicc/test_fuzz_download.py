"""What was once a download, cut, turned, repeated and altered: the card never breaks, and no half profile stays."""

import importlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import decode_state
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.lpa import Lpa
from tests.support.memory_storage import MemoryStorage
from tests.support.rsp import ADDRESS, SGP26, SmallSmdp, new_card
from tests.support.transcripts import known_randomness

CODE = ActivationCode(ADDRESS, "ORDER-1")
TAGS = (
    "BF20", "BF21", "BF22", "BF23", "BF28", "BF29", "BF2B", "BF2D", "BF2E", "BF30", "BF31", "BF32", "BF33", "BF34",
    "BF36", "BF38", "BF3C", "BF3E", "BF3F", "BF41", "BF43", "A0", "A1", "86", "87", "88",
)  # fmt: skip


class Recorder:
    """Keeps the commands on their way to a card."""

    def __init__(self, euicc: Euicc) -> None:
        self._euicc = euicc
        self.commands: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self._euicc.transmit(command)


def record() -> tuple[MemoryStorage, list[bytes]]:
    """Return an empty card and the commands that put a profile onto it, if its randomness is the known one."""
    storage = MemoryStorage()
    new_card(SGP26, storage)
    with patched():
        recorder = Recorder(Euicc.open(copied(storage)))
        Lpa(recorder, SmallSmdp(SGP26)).download(CODE)
    return storage, recorder.commands


def copied(storage: MemoryStorage) -> MemoryStorage:
    copy = MemoryStorage()
    copy.save(storage.load())
    return copy


class patched:  # noqa: N801 - reads as a word
    """The known randomness, anew each time."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, str, Any]] = []

    def _patch(self, target: str, value: Any) -> None:
        module, _, name = target.rpartition(".")
        place = importlib.import_module(module)
        self._kept.append((place, name, getattr(place, name)))
        setattr(place, name, value)

    def __enter__(self) -> None:
        known_randomness(self._patch)

    def __exit__(self, *_: object) -> None:
        for place, name, value in self._kept:
            setattr(place, name, value)


EMPTY, COMMANDS = record()


@st.composite
def altered(draw: st.DrawFn) -> list[bytes]:
    """Draw the commands of the download with a few faults in them."""
    commands = list(COMMANDS)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(commands) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del commands[place]
            case 1:
                commands.insert(place, commands[draw(st.integers(0, len(commands) - 1))])
            case 2 if commands[place]:
                octets = bytearray(commands[place])
                octets[draw(st.integers(0, len(octets) - 1))] ^= 1 << draw(st.integers(0, 7))
                commands[place] = bytes(octets)
            case 3:
                commands[place] = commands[place][: draw(st.integers(0, len(commands[place])))]
            case 4:
                request = bytes.fromhex(draw(st.sampled_from(TAGS))) + draw(st.binary(max_size=200))
                commands.insert(place, b"\x81\xe2\x91\x00" + bytes([len(request)]) + request)
    return commands


@settings(deadline=None, max_examples=120)
@given(altered())
def test_a_download_with_faults_ends_whole_or_not_at_all(commands: list[bytes]) -> None:
    storage = copied(EMPTY)
    with patched():
        euicc = Euicc.open(storage)
        for command in commands:
            response = euicc.transmit(command)
            assert 2 <= len(response) <= 258
            assert response[-2] >> 4 in (0x6, 0x9), response.hex()
    state = decode_state(storage.load())
    results = [each for each in state.notifications if each.install_result]
    assert len(state.profiles) <= 1
    assert len(results) >= len(state.profiles)
    assert state.next_isdp == 0x10 + len(state.profiles)
    Euicc.open(storage)


def test_the_commands_without_faults_install_the_profile() -> None:
    storage = copied(EMPTY)
    with patched():
        euicc = Euicc.open(storage)
        assert {euicc.transmit(command)[-2] for command in COMMANDS} <= {0x90, 0x61}
    assert len(decode_state(storage.load()).profiles) == 1


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(TAGS), st.binary(max_size=250)), max_size=12))
def test_any_requests_to_the_isd_r_get_status_words(requests: list[tuple[str, bytes]]) -> None:
    storage = copied(EMPTY)
    euicc = Euicc.open(storage)
    euicc.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))
    for tag, content in requests:
        request = bytes.fromhex(tag) + bytes([len(content) & 0x7F]) + content
        response = euicc.transmit(b"\x80\xe2\x91\x00" + bytes([len(request) & 0xFF]) + request[:255])
        assert response[-2] >> 4 in (0x6, 0x9), response.hex()
    assert decode_state(storage.load()).profiles == []
