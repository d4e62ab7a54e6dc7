"""The commands of remote SIM provisioning as people run them: pki, serve --role rsp, and the LPA against it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.esim.model import ProfileState
from kswifi.lab.children import Child, ChildFailedError
from kswifi.lab.phone.lpa import DownloadRefusedError
from kswifi.rsp.curves import Curve
from kswifi.rsp.errors import PkiError
from tests.support.cards import iccid, needing, profile_package
from tests.support.smdp import SGP26, TS48, order, order_now, running_smdp

HOST = "rsp.kswifi.example"


def run(*arguments: str, given: str = "") -> str:
    done = CliRunner().invoke(app, list(arguments), input=given)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def authority(pki: Path) -> Path:
    """The certificate (DER) of the CI that signs the TLS certificates."""
    return next((pki / "CertificateIssuer").glob("CERT*NIST.der"))


def test_a_pki_is_made_once_shown_without_keys_and_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "data"))
    made = run("pki", "init", "--smdp-address", f"{HOST}:8443")
    assert "certificates and keys in" in made
    assert str(tmp_path / "data" / "pki") in made
    again = CliRunner().invoke(app, ["pki", "init"])
    assert isinstance(again.exception, PkiError)
    assert "not empty" in again.exception.message
    shown = run("pki", "show")
    assert "0 revoked" in shown
    assert HOST in shown
    assert "PRIVATE" not in shown
    facts = json.loads(run("pki", "show", "--json"))
    assert {each["role"] for each in facts["certificates"]} >= {"ci", "dp_auth", "dp_pb", "dp_tls", "eum", "euicc"}
    assert {each["curve"] for each in facts["certificates"]} == {curve.value for curve in Curve}
    assert not any(each["expired"] for each in facts["certificates"])
    taken = run("pki", "import", str(SGP26), "--pki", str(tmp_path / "operator"))
    assert "the SM-DP+ is 2.999." in taken
    assert json.loads(run("pki", "show", "--json", "--pki", str(tmp_path / "operator")))["certificates"]
    for arguments in (["pki", "show", "--pki", str(tmp_path / "no")], ["pki", "import", str(tmp_path / "no")]):
        assert isinstance(CliRunner().invoke(app, arguments).exception, PkiError)


@pytest.mark.parametrize("certificates", ["sgp26", "own"])
def test_serve_alone_and_download_from_it(tmp_path: Path, certificates: str) -> None:
    """Every option of `serve --role rsp`, and our LPA and card on the other side of its socket."""
    pki, profiles = tmp_path / "pki", tmp_path / "profiles"
    if certificates == "sgp26":
        shutil.copytree(SGP26, pki)
    else:
        run("pki", "init", "--pki", str(pki), "--smdp-address", HOST)
    profiles.mkdir()
    (profiles / "LINE-1.der").write_bytes(profile_package(1))
    (profiles / "broken.der").write_bytes(b"\x30\x00")
    options = ["--host", "127.0.0.1", "--port", "0", "--pki", str(pki), "--smdp-address", HOST]
    child = Child.start(
        "rsp",
        ["serve", "--role", "rsp", "--as-child", *options, "--profiles", str(profiles)],
        {"KSWIFI_DATA_DIR": str(tmp_path / "data")},
        tmp_path / "log",
    )
    try:
        place = str(child.ready["es9plus"]).removeprefix("https://")
        ca = authority(pki)
        card = ("--card", str(tmp_path / "card"), "--ca", str(ca), "--connect-to", place)
        told = run("lpa", "download", f"LPA:1${HOST}$LINE-1", "--yes", "--pki", str(pki), *card)
        assert f"{iccid(1)} is installed" in told
        assert run("lpa", "notifications", "--card", str(tmp_path / "card")) == ""
    finally:
        child.stop()
    log = (tmp_path / "log").read_text()
    assert "event='profile_installed'" in log
    assert "profile_package_left_out" in log
    assert not (tmp_path / "data" / "pki").exists(), "a folder that was given is used as it is"


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    for arguments, words in (
        (["serve", "--role", "rsp", "--port", "70000"], "0 to 65535"),
        (["serve", "--role", "rsp", "--port", "0", "--profiles", str(tmp_path / "no")], "no folder"),
        (["serve", "--port", "0"], "belong to --role rsp"),
        (["serve", "--role", "all", "--pki", str(tmp_path)], "belong to --role rsp"),
        (["serve", "--role", "other"], "all or rsp"),
    ):
        with pytest.raises(ChildFailedError, match=words):
            Child.start("rsp", [*arguments, "--as-child"], {"KSWIFI_DATA_DIR": str(tmp_path / "d")}, tmp_path / "l")
    assert "Traceback" not in (tmp_path / "l").read_text()


def test_a_profile_that_others_made_goes_through(tmp_path: Path) -> None:
    """Ordered, bound, loaded and listed: GSMA's TS.48 profile, of class test because of its algorithm."""
    with running_smdp(tmp_path / "data", pki_dir=SGP26, profiles_dir=TS48) as server:
        card = ("--card", str(tmp_path / "card"))
        told = run(
            "lpa", "download", f"1${HOST}$TS48v5_SAIP2.1A_NoBERTLV", "--yes", *card, "--pki", str(SGP26),
            "--ca", str(authority(SGP26)), "--connect-to", f"127.0.0.1:{server.smdp.port}",
        )  # fmt: skip
        assert "89000123456789012341 is installed" in told
    assert "GSMA Generic eUICC Test Profile" in run("lpa", "list", *card)
    run("lpa", "enable", "89000123456789012341", *card)


def test_what_a_card_refuses_ends_the_order_in_error(tmp_path: Path) -> None:
    """Refused by PEStatus, signed by the card, delivered by the LPA, booked by the server."""
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    (profiles / "tuak.der").write_bytes(needing("tuak128"))
    with running_smdp(tmp_path / "data", pki_dir=SGP26, profiles_dir=profiles) as server:
        placed = order(server, package_name="tuak", iccid=str(iccid(1)))
        ca = authority(SGP26)
        refused = CliRunner().invoke(
            app,
            ["lpa", "download", f"1${HOST}${placed.matching_id}", "--yes", "--card", str(tmp_path / "card"),
             "--pki", str(SGP26), "--ca", str(ca), "--connect-to", f"127.0.0.1:{server.smdp.port}"],
        )  # fmt: skip
        assert isinstance(refused.exception, DownloadRefusedError)
        assert "feature not supported" in refused.exception.message
        done = order_now(server, placed)
        assert done.profile_state is ProfileState.ERROR
        assert "the card did not install it" in (done.state_reason or "")
    assert run("lpa", "notifications", "--card", str(tmp_path / "card")) == "", "the server has heard of it"
    assert run("lpa", "list", "--card", str(tmp_path / "card")) == "The card has no profiles.\n"
