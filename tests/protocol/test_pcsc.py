"""`kswifi lpa --reader N` on a card behind a real PC/SC service: pcscd, its virtual reader, our card in that."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from kswifi.euicc.card import Euicc
from kswifi.kernel.clock import SystemClock
from kswifi.lab.vpicc import VirtualReaderError, serve_reader
from kswifi.rsp import pki
from tests.support.cards import iccid
from tests.support.es9_http import answer, https
from tests.support.pcsc import VirtualReaders, card_in_reader, until, virtual_readers
from tests.support.rsp import ADDRESS, CARD_EID, SmallSmdp, new_card, own_files

NOW = SystemClock().now()
FILES = own_files(at=NOW)
OWN = pki.load_pki(FILES)


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[VirtualReaders]:
    with virtual_readers(tmp_path) as running:
        yield running


def lpa(readers: VirtualReaders, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kswifi", "lpa", *arguments, "--reader", "0"]
    return subprocess.run(
        command, env={**os.environ, **readers.environment}, capture_output=True, text=True, timeout=60, check=False
    )


def told(readers: VirtualReaders, *arguments: str) -> str:
    done = lpa(readers, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_card_in_a_real_reader(readers: VirtualReaders, tmp_path: Path) -> None:
    empty = lpa(readers, "info")
    assert empty.returncode == 1
    assert "there is no card in Virtual PCD" in empty.stderr
    for name, content in FILES.items():
        path = tmp_path / "pki" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    server = SmallSmdp(OWN, at=NOW)
    number = str(iccid(1))
    card = ("--card", str(tmp_path / "card"), "--pki", str(tmp_path / "pki"))
    with (
        https(partial(answer, server), OWN, ADDRESS, tmp_path) as (place, ca, _),
        card_in_reader(readers, *card),
    ):
        until(lambda: lpa(readers, "info").returncode == 0, "the reader does not see the card")
        assert CARD_EID in told(readers, "info")
        got = told(readers, "download", f"1${ADDRESS}$X", "--yes", "--ca", str(ca), "--connect-to", place)
        assert f"{number} is installed" in got
        assert len(server.results) == 1
        told(readers, "enable", number)
        assert told(readers, "list") == f"{number}  enabled   KSWiFi line 1\n"
        assert "GB" in told(readers, "sessions")
        told(readers, "disable", number)
        told(readers, "delete", number, "--yes")
        assert told(readers, "list") == "The card has no profiles.\n"


def test_a_reader_that_is_not_there(readers: VirtualReaders) -> None:
    command = [sys.executable, "-m", "kswifi", "lpa", "list", "--reader", "7"]
    environment = {**os.environ, **readers.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "kswifi: there are 2 readers\n")


def test_no_virtual_reader_to_put_a_card_into() -> None:
    card: Euicc = new_card(OWN)
    with pytest.raises(VirtualReaderError, match="no virtual reader"):
        serve_reader(card, "127.0.0.1", 9)
