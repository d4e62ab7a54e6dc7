"""The card on standard input and output: a recording of lpac played again, and lines that are no requests."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import CardMissingError
from kswifi.euicc.stdio import LINE_MAX_CHARACTERS, serve_stdio
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.personalise import open_or_make_card
from kswifi.rsp.errors import PkiError
from tests.support.cards import EID
from tests.support.memory_storage import MemoryStorage
from tests.support.rsp import CARD_EID, SGP26, SGP26_FOLDER, new_card
from tests.support.transcripts import known_randomness

TRANSCRIPT = Path(__file__).parents[2] / "data" / "lpac" / "transcript.jsonl"
FOREIGN = Path(__file__).parents[2] / "data" / "osmo_smdpp" / "download.jsonl"


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in TRANSCRIPT.read_text().splitlines()]


def test_what_lpac_said_is_answered_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    known_randomness(monkeypatch.setattr)
    card = new_card(SGP26)
    messages = [message for message in recorded() if message["type"] == "apdu"]
    requests, answers = messages[::2], messages[1::2]
    assert len(requests) == len(answers) > 300
    for number, (request, answer) in enumerate(zip(requests, answers, strict=True)):
        assert ask(card, request) == answer, f"exchange {number}: {request}"


def test_the_recording_has_every_function_of_the_card_that_lpac_uses() -> None:
    sent = "".join(
        (message["payload"].get("param") or "")[10:]
        for message in recorded()
        if message["type"] == "apdu" and message["payload"].get("func") == "transmit"
    ).upper()
    for tag in ("BF20", "BF21", "BF22", "BF23", "BF28", "BF29", "BF2B", "BF2D", "BF2E", "BF30", "BF31", "BF32",
                "BF33", "BF34", "BF36", "BF38", "BF3C", "BF3E", "BF3F", "BF41", "BF43"):  # fmt: skip
        assert tag in sent, tag


def ask(card: Euicc, request: object) -> dict[str, Any]:
    sink = io.StringIO()
    serve_stdio(card, io.StringIO(json.dumps(request) + "\n"), sink, pytest.fail)
    answer: dict[str, Any] = json.loads(sink.getvalue())
    return answer


def payload(func: str, param: str | None = None) -> dict[str, object]:
    return {"type": "apdu", "payload": {"func": func, "param": param}}


def test_channels_are_opened_and_closed() -> None:
    card = Euicc.create(MemoryStorage(), EID)
    isd_r = "A0000005591010FFFFFFFF8900000100"
    numbers = [ask(card, payload("logic_channel_open", isd_r))["payload"]["ecode"] for _ in range(5)]
    assert numbers == [1, 2, 3, -1, -1]
    assert ask(card, payload("logic_channel_close", "02"))["payload"]["ecode"] == 0
    assert ask(card, payload("logic_channel_close", "02"))["payload"]["ecode"] == -1
    assert ask(card, payload("logic_channel_open", "A00000000011"))["payload"]["ecode"] == -1
    assert ask(card, payload("logic_channel_open", "A0"))["payload"]["ecode"] == -1
    assert ask(card, payload("logic_channel_open", isd_r))["payload"]["ecode"] == 2
    assert ask(card, payload("connect"))["payload"]["ecode"] == 0
    assert ask(card, payload("logic_channel_open", isd_r))["payload"]["ecode"] == 1, "a power-on closed the others"
    assert ask(card, payload("transmit", "00"))["payload"] == {"ecode": 0, "data": "6700"}
    assert ask(card, payload("unknown"))["payload"]["ecode"] == -1


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "",
        '{"type":"apdu","payload":{"func":"transmit","param":"00"}}' + " " * LINE_MAX_CHARACTERS,
        "[]",
        "{}",
        '{"type":"apdu"}',
        '{"type":"apdu","payload":1}',
        '{"type":"apdu","payload":{"func":"transmit","param":"0"}}',
        '{"type":"apdu","payload":{"func":"transmit","param":5}}',
        "[" * 5000,
    ],
)
def test_every_line_that_cannot_be_parsed_gets_one_error_and_the_next_is_served(line: str) -> None:
    aside: list[str] = []
    sink = io.StringIO()
    lines = f"{line}\n{json.dumps(payload('connect'))}\n"
    serve_stdio(Euicc.create(MemoryStorage(), EID), io.StringIO(lines), sink, aside.append)
    answers = [json.loads(each) for each in sink.getvalue().splitlines()]
    assert [each["type"] for each in answers] == ["apdu", "apdu"]
    assert [each["payload"] for each in answers] == [{"ecode": -1}, {"ecode": 0}]
    assert aside == [line[:LINE_MAX_CHARACTERS]]


@pytest.mark.parametrize("line", ['{"type":"lpa","payload":{"code":0}}', '{"type":"progress","payload":{}}'])
def test_lines_of_other_types_are_passed_on_without_an_answer(line: str) -> None:
    aside: list[str] = []
    sink = io.StringIO()
    serve_stdio(Euicc.create(MemoryStorage(), EID), io.StringIO(line + "\n"), sink, aside.append)
    assert (aside, sink.getvalue()) == ([line], "")


def test_the_command_makes_a_card_of_a_pki_folder_and_keeps_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kswifi", "euicc", "stdio", "--card", str(tmp_path / "card")]
    lines = "".join(
        json.dumps(payload(*each)) + "\n"
        for each in [
            ("connect",),
            ("logic_channel_open", "A0000005591010FFFFFFFF8900000100"),
            ("transmit", "81E2910006BF3E035C015A"),
            ("transmit", "81C0000015"),
            ("disconnect",),
        ]
    )
    done = subprocess.run(
        [*command, "--pki", str(SGP26_FOLDER)], input=lines, capture_output=True, text=True, timeout=60, check=True
    )
    answers = [json.loads(line)["payload"] for line in done.stdout.splitlines()]
    assert answers[1] == {"ecode": 1}
    assert answers[3] == {"ecode": 0, "data": "BF3E125A10" + CARD_EID + "9000"}
    kept = open_or_make_card(tmp_path / "card", None)
    assert ask(kept, payload("logic_channel_open", "A0000005591010FFFFFFFF8900000100"))["payload"]["ecode"] == 1
    kept.close()
    with pytest.raises(CardMissingError, match="--pki makes one"):
        open_or_make_card(tmp_path / "other", None)
    with pytest.raises(PkiError, match="no such folder"):
        open_or_make_card(tmp_path / "other", tmp_path / "nothing")
    assert not (tmp_path / "other").exists()


def test_a_download_from_a_foreign_server_is_taken_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played again: osmo-smdpp's signatures, certificates and bound profile package, octet for octet."""
    known_randomness(monkeypatch.setattr)
    card = new_card(SGP26)
    exchanges = [json.loads(line) for line in FOREIGN.read_text().splitlines()]
    assert len(exchanges) > 30
    for number, exchange in enumerate(exchanges):
        answer = card.transmit(bytes.fromhex(exchange["command"]))
        assert answer.hex().upper() == exchange["answer"], f"exchange {number}: {exchange['command']}"
    with Es10(card) as es10:
        (profile,) = es10.profiles()
        assert (profile.state, es10.notifications()) == (0, [])


def test_a_flipped_octet_of_a_foreign_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    exchanges = [json.loads(line) for line in FOREIGN.read_text().splitlines()]
    # The blocks of the package: after PrepareDownload, with more than the header of a command.
    bound = next(number for number, each in enumerate(exchanges) if "BF36" in each["command"][10:14])
    blocks = [each for each in range(bound, len(exchanges)) if len(exchanges[each]["command"]) > 60]
    assert len(blocks) >= 6
    for place in blocks:
        known_randomness(monkeypatch.setattr)
        card = new_card(SGP26)
        for number, exchange in enumerate(exchanges):
            command = bytearray.fromhex(exchange["command"])
            if number == place:
                command[-5] ^= 0x01
            card.transmit(bytes(command))
        with Es10(card) as es10:
            assert es10.profiles() == (), f"block {place}"
