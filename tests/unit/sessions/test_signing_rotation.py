"""Rotation of the signing key: a new key signs, what the old one signed still verifies, and keys end."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.data_directory.layout import Installation
from kswifi.kernel.files import write_owner_only
from kswifi.rsp.session_record import verify
from kswifi.session_package import verify_package
from kswifi.session_package.codec import build_package
from kswifi.sessions.errors import SESSION_SIGNING_KEY_DAMAGED, TOO_MANY_SIGNING_KEYS
from kswifi.sessions.signing import fresh_signing_key_pem
from kswifi.sessions.signing_rotation import (
    RETIRED_LIFE,
    RETIRED_LIMIT,
    read_retired_keys,
    read_signing_key,
    rotate,
)
from tests.support.databases import START
from tests.support.refusals import refused
from tests.unit.session_package.test_package import CONTENTS, FROM, ICCID, RECORD, SIGNING


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    current = tmp_path / "session-signing.pem"
    write_owner_only(current, fresh_signing_key_pem())
    return current, tmp_path / "retired.json"


def test_both_keys_are_published_and_the_private_ones_never(files: tuple[Path, Path]) -> None:
    old = read_signing_key(files[0].read_bytes(), files[1])
    new = rotate(*files, START)
    again = read_signing_key(files[0].read_bytes(), files[1])
    assert again.kid == new.kid != old.kid
    assert [it["kid"] for it in again.jwks()["keys"]] == [new.kid, old.kid]
    for published in again.jwks()["keys"]:
        assert "d" not in published
        assert (published["alg"], published["use"]) == ("ES256", "sig")
    assert '"d"' not in files[1].read_text()
    assert files[1].stat().st_mode & 0o077 == 0
    for key, kid in ((old, old.kid), (again, new.kid)):
        record = key.sign_record(verify(RECORD, SIGNING.jwk.public_key))
        package = build_package(replace(CONTENTS, session_record=record), key.jwk)
        assert verify_package(package, again.public_keys, ICCID, FROM).kid == kid


def test_a_crash_between_the_files_publishes_the_key_in_use_once(files: tuple[Path, Path]) -> None:
    pem = files[0].read_bytes()
    rotate(*files, START)
    files[0].write_bytes(pem)  # the new key did not reach the disk
    found = read_signing_key(pem, files[1])
    assert len(found.jwks()["keys"]) == 1
    rotate(*files, START)
    assert len(read_retired_keys(files[1])) == 1


def test_retired_keys_end_and_are_limited(files: tuple[Path, Path]) -> None:
    for number in range(RETIRED_LIMIT):
        rotate(*files, START + timedelta(minutes=number))
    with refused(TOO_MANY_SIGNING_KEYS):
        rotate(*files, START + timedelta(days=1))
    rotate(*files, START + RETIRED_LIFE + timedelta(days=1))
    assert len(read_retired_keys(files[1])) == 1
    files[1].write_text('{"keys":[{}]}')
    with refused(SESSION_SIGNING_KEY_DAMAGED):
        read_signing_key(files[0].read_bytes(), files[1])


def test_the_command_rotates_a_server_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    assert CliRunner().invoke(app, ["keys", "rotate"]).exit_code != 0  # there is no key yet
    installation = Installation(tmp_path).open()
    write_owner_only(installation.session_signing_key, fresh_signing_key_pem())
    busy = CliRunner().invoke(app, ["keys", "rotate"])
    assert busy.exit_code != 0
    installation.close()
    before = json.loads(CliRunner().invoke(app, ["keys", "list", "--json"]).output)["in_use"]
    assert CliRunner().invoke(app, ["keys", "rotate"]).exit_code == 0
    found = json.loads(CliRunner().invoke(app, ["keys", "list", "--json"]).output)
    assert found["in_use"] != before
    assert [it["kid"] for it in found["retired"]] == [before]
    assert before in CliRunner().invoke(app, ["keys", "list"]).output
