"""The LPA over real TLS: downloads, servers it must not trust, answers it must not take."""

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.euicc.card import Euicc
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.clock import SystemClock
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import Es9RefusedError, Es9UnreachableError, HttpEs9, tls_context
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa
from kswifi.rsp import pki
from kswifi.rsp.curves import Curve
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.profiles import ProfileId
from tests.support.cards import iccid, profile_package
from tests.support.es9_http import SUCCESS, answer, https
from tests.support.rsp import ADDRESS, SmallSmdp, metadata, new_card, own_files

CODE = ActivationCode(ADDRESS, "ORDER-1")
NOW = SystemClock().now()  # TLS goes by the real clock
FILES = own_files(at=NOW)
OWN = pki.load_pki(FILES)


def test_a_download_over_tls(tmp_path: Path) -> None:
    server, euicc = SmallSmdp(OWN, at=NOW), new_card(OWN)
    with (
        https(partial(answer, server), OWN, ADDRESS, tmp_path) as (place, ca, seen),
        HttpEs9(tls_context(ca), place) as es9,
    ):
        lpa = Lpa(euicc, es9)
        assert lpa.download(CODE).iccid == iccid(1)
        assert [done.failure for done in lpa.process_notifications()] == [None]
    assert len(server.results) == 1
    assert [path.rsplit("/", 1)[1] for path, _ in seen] == [
        "initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification"
    ]  # fmt: skip
    for path, headers in seen:
        assert path.startswith("/gsma/rsp2/es9plus/")
        assert headers["User-Agent"] == "gsma-rsp-lpad"
        assert headers["X-Admin-Protocol"].startswith("gsma/rsp/v2.")
        assert headers["Content-Type"] == "application/json"
        assert headers["Host"] == ADDRESS


def test_a_server_with_a_foreign_certificate_or_another_name_is_not_trusted(tmp_path: Path) -> None:
    other = pki.load_pki(own_files(Curve.NIST_P256, at=NOW))
    with https(partial(answer, SmallSmdp(OWN, at=NOW)), other, ADDRESS, tmp_path) as (place, ca, seen):
        (tmp_path / "own").mkdir()
        with https(partial(answer, SmallSmdp(OWN, at=NOW)), OWN, ADDRESS, tmp_path / "own") as (_, own_ca, _):
            for trusted, name in ((own_ca, ADDRESS), (None, ADDRESS), (ca, "other.example")):
                with (
                    HttpEs9(tls_context(trusted), place) as es9,
                    pytest.raises(Es9UnreachableError, match="certif"),
                ):
                    Lpa(new_card(OWN), es9).download(ActivationCode(name, "X"))
        assert seen == []


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with HttpEs9(tls_context(None), "127.0.0.1:9") as es9, pytest.raises(Es9UnreachableError, match="reached"):
        Lpa(new_card(OWN), es9).download(CODE)
    with pytest.raises(Es9UnreachableError, match="cannot be used"):
        tls_context(tmp_path / "nothing.pem")


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (500, b"{}", "HTTP 500"),
        (200, b"<html>", "JSON"),
        (200, b"[]", "JSON object"),
        (200, json.dumps(SUCCESS).encode(), "lacks transactionId"),
        (200, json.dumps({**SUCCESS, "transactionId": "00", "serverSigned1": "?"}).encode(), "lacks serverSigned1"),
        (200, json.dumps({**SUCCESS, "transactionId": "zz"}).encode(), "lacks transactionId"),
    ],
)
def test_answers_that_are_none(tmp_path: Path, status: int, content: bytes, words: str) -> None:
    with (
        https(lambda *_: (status, content), OWN, ADDRESS, tmp_path) as (place, ca, _),
        HttpEs9(tls_context(ca), place) as es9,
        pytest.raises(Es9UnreachableError, match=words),
    ):
        Lpa(new_card(OWN), es9).download(CODE)


def test_an_answer_without_a_status_is_a_refusal(tmp_path: Path) -> None:
    with (
        https(lambda *_: (200, b"{}"), OWN, ADDRESS, tmp_path) as (place, ca, _),
        HttpEs9(tls_context(ca), place) as es9,
        pytest.raises(Es9RefusedError),
    ):
        Lpa(new_card(OWN), es9).download(CODE)


def test_an_endless_answer_is_cut_off(tmp_path: Path) -> None:
    with (
        https(lambda *_: (200, bytes(5 << 20)), OWN, ADDRESS, tmp_path) as (place, ca, _),
        HttpEs9(tls_context(ca), place) as es9,
        pytest.raises(Es9UnreachableError, match="too long"),
    ):
        Lpa(new_card(OWN), es9).download(CODE)


def test_a_package_that_is_none_is_cancelled(tmp_path: Path) -> None:
    server, euicc = SmallSmdp(OWN, at=NOW, alter={"package": lambda _: b"\x30\x00"}), new_card(OWN)
    with (
        https(partial(answer, server), OWN, ADDRESS, tmp_path) as (place, ca, _),
        HttpEs9(tls_context(ca), place) as es9,
        pytest.raises(DownloadRefusedError, match="no bound profile package"),
    ):
        Lpa(euicc, es9).download(CODE)
    assert server.cancelled == [CancelReason.LOAD_BPP_EXECUTION_ERROR]


def run(*arguments: str, given: str = "") -> str:
    done = CliRunner().invoke(app, ["lpa", *arguments], input=given)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_the_commands_of_the_lpa(tmp_path: Path) -> None:
    """A person's way: download, look, rename, enable, read the sessions, disable, delete."""
    for name, content in FILES.items():
        path = tmp_path / "pki" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    card = ("--card", str(tmp_path / "card"))
    server = SmallSmdp(OWN, at=NOW)
    number = str(iccid(1))
    with https(partial(answer, server), OWN, ADDRESS, tmp_path) as (place, ca, _):
        net = ("--ca", str(ca), "--connect-to", place)
        made = ("--pki", str(tmp_path / "pki"))
        asked = run("download", f"LPA:1${ADDRESS}$ORDER-1", *card, *net, *made, given="y\n")
        assert "Install KSWiFi line 1?" in asked
        assert f"{number} is installed, disabled" in asked
        assert len(server.results) == 1
        assert run("list", *card) == f"{number}  disabled  KSWiFi line 1\n"
        run("nickname", number, "Market", *card)
        run("enable", number, *card)
        assert run("list", *card) == f"{number}  enabled   KSWiFi line 1 «Market»\n"
        assert "1.00 GB" in run("sessions", *card) or "1 GB" in run("sessions", *card)
        assert "enable" in run("notifications", *card)
        run("notifications", "--process", *card, *net)
        assert run("notifications", *card) == ""
        told = run("info", *card)
        assert "89049032123451234512345678901235" in told
        run("disable", number, *card)
        server.profile, server.metadata = profile_package(2), metadata(2).encode()
        run("download", f"1${ADDRESS}$", "--yes", *card, *net)
        run("delete", number, "--yes", *card)
        server.profile, server.metadata = profile_package(3), metadata(3, policy_rules=frozenset({2})).encode()
        declined = CliRunner().invoke(app, ["lpa", "download", f"1${ADDRESS}$", "--yes", *card, *net], input="n\n")
        assert "can not be deleted" in declined.output
        assert isinstance(declined.exception, DownloadRefusedError)
        assert run("list", *card).startswith(str(iccid(2)))
    assert CliRunner().invoke(app, ["lpa", "list"]).exit_code == 2, "which card?"
    euicc = Euicc.open(DirectoryStorage.open(tmp_path / "card"))
    with Es10(euicc) as es10:
        es10.enable(ProfileId.of_iccid(iccid(2).to_bytes()))
    euicc.close()
