"""`kswifi package show`: what a session package holds, in words and as JSON."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.esim.model import activation_code
from kswifi.kernel.clock import unix_seconds
from kswifi.rsp.session_record import SessionRecord
from kswifi.session_package import PackageContents, PackageError, build_package
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from tests.support.cards import iccid

SIGNING = SessionSigningKey.from_pem(fresh_signing_key_pem())
CODE = activation_code("smdp.example", "ABCD-EFGH")
SETUP = {"smdp_address": "smdp.example", "apn": "internet"}


def written(folder: Path, until: datetime) -> tuple[str, str]:
    """Write a package and its keys; return their paths."""
    session_id, since = "019ab0de-0000-7000-8000-000000000001", until - timedelta(days=30)
    record = SessionRecord(
        session_id=UUID(session_id),
        iccid=iccid(1),
        allowance_octets=1_000_000_000,
        valid_from=unix_seconds(since),
        valid_until=unix_seconds(until),
        key_id=bytes(8),
    )
    contents = PackageContents(
        session_id=session_id,
        offer_id="free-1gb",
        allowance_octets=1_000_000_000,
        valid_from=since,
        valid_until=until,
        iccid=iccid(1),
        session_record=SIGNING.sign_record(record),
        activation={"activation_code": CODE, "qr_code_svg": "<svg/>", "manual_setup": SETUP},
        terms="1 GB for ₦0.",
    )
    package, keys = folder / "one.kswifi", folder / "keys.json"
    package.write_bytes(build_package(contents, SIGNING.jwk))
    keys.write_text(json.dumps(SIGNING.jwks()))
    return str(package), str(keys)


@pytest.mark.parametrize(("days", "expired"), [(30, False), (-1, True)])
def test_a_package_is_shown_with_its_activation_code(tmp_path: Path, days: int, expired: bool) -> None:
    package, keys = written(tmp_path, datetime.now(UTC) + timedelta(days=days))
    told = CliRunner().invoke(app, ["package", "show", package, "--keys", keys])
    assert told.exit_code == 0, told.exception
    for words in (CODE, "smdp address: smdp.example", "apn: internet", str(iccid(1)), "1 GB for ₦0."):
        assert words in told.output
    assert ("EXPIRED" in told.output) is expired
    shown = json.loads(CliRunner().invoke(app, ["package", "show", package, "--keys", keys, "--json"]).output)
    assert shown["activation"]["activation_code"] == CODE
    assert shown["activation"]["manual_setup"] == SETUP
    assert (shown["iccid"], shown["expired"], shown["terms"]) == (str(iccid(1)), expired, "1 GB for ₦0.")
    assert len(bytes.fromhex(shown["session_record"])) > 100


def test_a_package_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    package, keys = written(tmp_path, datetime.now(UTC) + timedelta(days=1))
    octets = bytearray(Path(package).read_bytes())
    octets[-3] ^= 1
    Path(package).write_bytes(octets)
    told = CliRunner().invoke(app, ["package", "show", package, "--keys", keys])
    assert isinstance(told.exception, PackageError)
    assert CODE not in told.output
