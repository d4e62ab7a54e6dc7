"""The card's process is killed in the middle of a download: the card is whole, and the download is tried again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.state import CardState, decode_state
from kswifi.euicc.storage import DirectoryStorage
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import Lpa
from kswifi.rsp.messages.notifications import InstallSuccess
from kswifi.rsp.messages.profiles import ProfileId
from tests.support.cards import iccid
from tests.support.rsp import ADDRESS, SGP26, SGP26_FOLDER, SmallSmdp, metadata, new_card

CODE = ActivationCode(ADDRESS, "ORDER-1")


class KilledError(Exception):
    pass


class StdioCard:
    """`kswifi euicc stdio` in a process of its own, which is killed while it works on a command."""

    def __init__(self, process: "subprocess.Popen[str]", commands: int | None) -> None:
        self._process = process
        self._left = commands
        self.sent = 0

    def transmit(self, command: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"func": "transmit", "param": command.hex()}
        if self._left is not None and self.sent >= self._left:
            raise KilledError
        self._process.stdin.write(json.dumps({"type": "apdu", "payload": request}) + "\n")
        self._process.stdin.flush()
        self.sent += 1
        if self.sent == self._left:
            self._process.kill()
            raise KilledError
        answer = json.loads(self._process.stdout.readline())["payload"]
        assert answer["ecode"] == 0
        return bytes.fromhex(answer["data"])


@contextmanager
def stdio_card(directory: Path, kill_at: int | None = None) -> Iterator[StdioCard]:
    command = [sys.executable, "-m", "kswifi", "euicc", "stdio", "--card", str(directory)]
    process = subprocess.Popen(
        [*command, "--pki", str(SGP26_FOLDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield StdioCard(process, kill_at)
    finally:
        process.kill()
        process.communicate()


def state_of(directory: Path) -> CardState:
    storage = DirectoryStorage.open(directory)
    state = decode_state(storage.load())
    storage.close()
    return state


def commands_of_a_download() -> int:
    counting = _Counting(new_card(SGP26))
    Lpa(counting, SmallSmdp(SGP26)).download(CODE)
    return counting.sent


class _Counting:
    def __init__(self, euicc: Euicc) -> None:
        self._euicc = euicc
        self.sent = 0

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        return self._euicc.transmit(command)


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9, "last segment", "its answer"])
def test_a_killed_card_comes_back_whole_and_takes_the_download_again(tmp_path: Path, share: float | str) -> None:
    total = commands_of_a_download()
    at = {"last segment": total - 3, "its answer": total - 1}.get(str(share)) or int(total * float(share))
    server = SmallSmdp(SGP26)
    with stdio_card(tmp_path / "card", at) as card, pytest.raises(KilledError):
        Lpa(card, server).download(CODE)
    state = state_of(tmp_path / "card")
    installed = bool(state.profiles)
    assert installed == bool(state.notifications), "the profile and its signed result come together"
    before, server.again = server.otpk, server.otpk is not None
    with stdio_card(tmp_path / "card") as card:
        lpa = Lpa(card, server)
        if not installed:
            lpa.download(CODE)
            assert before in (None, server.otpk), "the card still had its one-time key"
        assert [done.failure for done in lpa.process_notifications()] == [None]
        with Es10(card) as es10:
            assert [each.iccid for each in es10.profiles()] == [iccid(1).to_bytes()]
            es10.enable(ProfileId.of_iccid(iccid(1).to_bytes()))
    (result,) = server.results
    assert isinstance(result.final_result, InstallSuccess)
    assert [each.enabled for each in state_of(tmp_path / "card").profiles] == [True]
    assert metadata().iccid == result.notification.iccid
