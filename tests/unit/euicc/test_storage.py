"""The card in its directory: whole writes, a lock, checksums, and a kill at any moment."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import CardBusyError, CardDamagedError, CardExistsError, CardMissingError
from kswifi.euicc.state import decode_state, encode_state
from kswifi.euicc.storage import DirectoryStorage
from tests.support.cards import ADM_KEY, EID, enable, iccid, profile_package, send

SELECT_SESSIONS = "00A4080C067FFF5F104F01"


def make_card(directory: Path) -> None:
    directory.mkdir()
    euicc = Euicc.create(DirectoryStorage.open(directory), EID)
    euicc.load_profile_package(profile_package())
    enable(euicc, iccid())
    euicc.close()


def open_at_sessions(directory: Path) -> Euicc:
    euicc = Euicc.open(DirectoryStorage.open(directory))
    send(euicc, "00A4040C07A0000000871002")
    send(euicc, SELECT_SESSIONS)
    send(euicc, "0020000A08" + ADM_KEY.hex())
    return euicc


def record(directory: Path, number: int) -> bytes:
    euicc = open_at_sessions(directory)
    data, status = send(euicc, f"00B2{number:02X}0400")
    euicc.close()
    assert status == "9000"
    return data


def test_only_the_owner_can_read_a_card(tmp_path: Path) -> None:
    make_card(tmp_path / "card")
    assert sorted(path.name for path in (tmp_path / "card").iterdir()) == ["card.bin", "lock"]
    assert stat.S_IMODE((tmp_path / "card" / "card.bin").stat().st_mode) == 0o600


def test_a_card_is_made_once_and_missed_by_name(tmp_path: Path) -> None:
    with pytest.raises(CardMissingError):
        DirectoryStorage.open(tmp_path / "nothing")
    with pytest.raises(CardMissingError):
        Euicc.open(DirectoryStorage.open(tmp_path))
    make_card(tmp_path / "card")
    with pytest.raises(CardExistsError):
        Euicc.create(DirectoryStorage.open(tmp_path / "card"), EID)
    open_at_sessions(tmp_path / "card").close()  # neither refusal kept the lock


def test_one_card_has_one_user(tmp_path: Path) -> None:
    make_card(tmp_path / "card")
    euicc = open_at_sessions(tmp_path / "card")
    with pytest.raises(CardBusyError, match="another process"):
        DirectoryStorage.open(tmp_path / "card")
    euicc.close()
    open_at_sessions(tmp_path / "card").close()


@pytest.mark.parametrize("position", [0, 5, 20, 60, 1000, -1])
def test_a_flipped_bit_is_reported(tmp_path: Path, position: int) -> None:
    make_card(tmp_path / "card")
    path = tmp_path / "card" / "card.bin"
    octets = bytearray(path.read_bytes())
    octets[position] ^= 0x10
    path.write_bytes(octets)
    with pytest.raises(CardDamagedError):
        Euicc.open(DirectoryStorage.open(tmp_path / "card"))


@pytest.mark.parametrize("length", [0, 10, 47, 48, 2000])
def test_a_cut_file_is_reported(tmp_path: Path, length: int) -> None:
    make_card(tmp_path / "card")
    path = tmp_path / "card" / "card.bin"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CardDamagedError):
        Euicc.open(DirectoryStorage.open(tmp_path / "card"))


def test_a_state_of_another_shape_or_version_is_reported(tmp_path: Path) -> None:
    make_card(tmp_path / "card")
    storage = DirectoryStorage.open(tmp_path / "card")
    state = decode_state(storage.load())
    state.version = 99
    with pytest.raises(CardDamagedError, match="another format"):
        decode_state(encode_state(state))
    with pytest.raises(CardDamagedError, match="cannot be read"):
        decode_state(b"\x93\x01\x02\x03")
    storage.close()


class PowerLossError(BaseException):
    """The process is gone: nothing after it runs."""


@pytest.mark.parametrize("step", ["open", "fsync", "replace", "second fsync", "nothing"])
def test_power_loss_at_each_step_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    make_card(tmp_path / "card")
    before = record(tmp_path / "card", 1)
    euicc = open_at_sessions(tmp_path / "card")
    failing = {"second fsync": 2}.get(step, 1)
    name = step.rsplit(maxsplit=1)[-1]
    if name != "nothing":
        monkeypatch.setattr(os, name, fail_at(getattr(os, name), failing))
        with pytest.raises(PowerLossError):
            euicc.transmit(bytes.fromhex("00DC0104A0" + "AB" * 160))
        monkeypatch.undo()
    else:
        assert send(euicc, "00DC0104A0" + "AB" * 160)[1] == "9000"
    euicc.close()
    after = record(tmp_path / "card", 1)
    assert after == (before if step in ("open", "fsync", "replace") else b"\xab" * 160)


def fail_at(real: Callable[..., object], count: int) -> Callable[..., object]:
    calls = 0

    def failing(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == count:
            raise PowerLossError
        return real(*args, **options)

    return failing


def test_a_full_disk_is_a_status_word_and_the_card_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_card(tmp_path / "card")
    euicc = open_at_sessions(tmp_path / "card")
    before = send(euicc, "00B2010400")[0]

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert send(euicc, "00DC0104A0" + "AB" * 160)[1] == "6581"
    monkeypatch.undo()
    send(euicc, "00A4040C07A0000000871002")
    send(euicc, SELECT_SESSIONS)
    assert send(euicc, "00B2010400")[0] == before
    euicc.close()


CHILD = """
import sys
sys.path[:0] = [{root!r}]
from pathlib import Path
from kswifi.euicc.card import Euicc
from kswifi.euicc.storage import DirectoryStorage
euicc = Euicc.open(DirectoryStorage.open(Path({directory!r})))
for command in ("00A4040C07A0000000871002", "0020000A08{adm}", "{select}"):
    assert euicc.transmit(bytes.fromhex(command)) == b"\\x90\\x00"
number = {start}
while True:
    number += 1
    word = number.to_bytes(4, "big") * 40
    assert euicc.transmit(bytes.fromhex("00DC0104A0") + word) == b"\\x90\\x00"
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
"""


def test_a_killed_writer_leaves_a_readable_card_with_every_answered_write(tmp_path: Path) -> None:
    make_card(tmp_path / "card")
    number = 0
    for kill in range(6):
        script = CHILD.format(
            root=str(Path(__file__).parents[3]),
            directory=str(tmp_path / "card"),
            adm=ADM_KEY.hex(),
            select=SELECT_SESSIONS,
            start=number,
        )
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.013 * kill)
        child.send_signal(signal.SIGKILL)
        answered = [int(line) for line in child.stdout.read().split()]
        child.stdout.close()
        child.wait()
        content = record(tmp_path / "card", 1)
        assert content == content[:4] * 40  # one write, whole
        found = int.from_bytes(content[:4], "big")
        assert found >= max(answered, default=number + 1)
        assert found <= max(answered, default=number + 1) + 1
        number = found
