"""A card in a PC/SC reader; a module of this test stands in for pyscard."""

import sys
import types

import pytest

from kswifi.lab.phone.es10 import CardError, Es10
from kswifi.lab.phone.pcsc import PcscReader, ReaderMissingError
from tests.support.cards import EID, euicc_with


class FakeError(Exception):
    pass


class FakeReader:
    def __init__(self, *, card: bool = True) -> None:
        self._euicc = euicc_with(1)
        self._card = card
        self.connected = False

    def createConnection(self) -> "FakeReader":
        return self

    def connect(self) -> None:
        if not self._card:
            raise FakeError("no card")
        self.connected = True

    def disconnect(self) -> None:
        self.connected = False

    def transmit(self, command: list[int]) -> tuple[list[int], int, int]:
        if not self._card:
            raise FakeError("removed")
        answer = self._euicc.transmit(bytes(command))
        return list(answer[:-2]), answer[-2], answer[-1]


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[FakeReader]:
    found = [FakeReader(card=False), FakeReader()]
    system, exceptions = types.ModuleType("smartcard.System"), types.ModuleType("smartcard.Exceptions")
    system.readers = lambda: found  # type: ignore[attr-defined]
    exceptions.SmartcardException = FakeError  # type: ignore[attr-defined]
    for module in (types.ModuleType("smartcard"), system, exceptions):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


def test_a_card_in_a_reader_answers_es10(readers: list[FakeReader]) -> None:
    with PcscReader(1) as reader:
        assert readers[1].connected
        with Es10(reader) as es10:
            assert es10.eid() == EID
            assert len(es10.profiles()) == 1
    assert not readers[1].connected


def test_a_missing_reader_or_card_is_named_in_the_error(readers: list[FakeReader]) -> None:
    with pytest.raises(ReaderMissingError, match="2 readers"):
        PcscReader(2)
    with pytest.raises(CardError, match="no card"):
        PcscReader(0)
    with PcscReader(1) as reader:
        readers[1]._card = False
        with pytest.raises(CardError, match="lost the card"):
            reader.transmit(b"\x00\xa4\x00\x00")


def test_without_pyscard_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.System", None)
    with pytest.raises(ReaderMissingError, match="pyscard"):
        PcscReader(0)
