"""`kswifi operators`: who may order here, and with which profiles."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select
from typer.testing import CliRunner

from kswifi.cli.provisioning.operators import operators_app
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.esim.errors import OperatorRefusedError, UnknownOperatorError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.operators import open_stocked_package
from kswifi.esim.operators.stock_metadata import StockMetadata
from kswifi.esim.smdp.orders import ORDER_COLUMNS, move_order, read_order
from kswifi.esim.smdp.rsp_model import ProfileOrder
from kswifi.rsp.messages.metadata import ProfileOwner
from kswifi.rsp.status_codes import RspRefusedError
from tests.support.cards import iccid, profile_package
from tests.support.es2 import self_signed

T = TypeVar("T")


def _kswifi(*arguments: str) -> str:
    result = CliRunner().invoke(operators_app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "var"))
    made = Installation(tmp_path / "var").open()
    made.read_or_make(made.subscriber_key, lambda: bytes(32))

    async def prepare() -> None:
        database = Database(sqlite_url(made.control_database))
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    made.close()
    return made


def test_an_operator_comes_and_goes(installation: Installation, tmp_path: Path) -> None:
    keyed = self_signed(tmp_path, "acme")
    package = tmp_path / "one.der"
    package.write_bytes(profile_package(1))
    callback = ("--callback", "https://acme.example/es2", "--callback-ca", str(keyed.pem))
    _kswifi("add", "Acme", "--certificate", str(keyed.pem), *callback)
    for _ in range(2):  # the same package again changes nothing
        assert _kswifi("stock", "Acme", str(package), "--type", "prepaid").split() == [iccid(1), "one.der"]
    assert profile_package(1)[200:280] not in installation.control_database.read_bytes()
    listed = json.loads(_kswifi("list", "--json"))
    assert (listed["name"], listed["callback"]) == ("Acme", "https://acme.example/es2")
    assert listed["profiles"] == {"available": 1}
    assert "Acme" in _kswifi("list")
    _kswifi("remove", "Acme", "--yes")
    assert _kswifi("list", "--json") == ""
    with pytest.raises(UnknownOperatorError):
        _kswifi("stock", "Acme", str(package), "--type", "prepaid")


def test_what_cannot_be_registered(installation: Installation, tmp_path: Path) -> None:
    keyed, other = self_signed(tmp_path, "acme"), self_signed(tmp_path, "late", days=-1)
    certificate = ("--certificate", str(keyed.pem))
    package = tmp_path / "one.der"
    package.write_bytes(profile_package(1))
    _kswifi("add", "Acme", *certificate)
    with pytest.raises(OperatorRefusedError, match="another party"):
        _kswifi("add", "Borrower", *certificate)
    with pytest.raises(OperatorRefusedError, match="time is over"):
        _kswifi("add", "Late", "--certificate", str(other.pem))
    with pytest.raises(OperatorRefusedError, match="a name has"):
        _kswifi("add", "a/b", *certificate)
    with pytest.raises(OperatorRefusedError, match="a callback is"):
        _kswifi("add", "Acme", *certificate, "--callback", "http://acme.example")
    with pytest.raises(OperatorRefusedError, match="no certificate"):
        _kswifi("add", "Acme", "--certificate", str(package))
    _kswifi("add", "Second", "--certificate", str(self_signed(tmp_path, "second").pem))
    _kswifi("stock", "Acme", str(package), "--type", "prepaid")
    with pytest.raises(OperatorRefusedError, match="already"):
        _kswifi("stock", "Second", str(package), "--type", "prepaid")
    assert [json.loads(line)["name"] for line in _kswifi("list", "--json").splitlines()] == ["Acme", "Second"]


def together(installation: Installation, work: Callable[[Connection], T]) -> T:
    async def run() -> T:
        database = Database(sqlite_url(installation.control_database))
        try:
            return await database.write(work)
        finally:
            await database.close()

    return asyncio.run(run())


def order_now(connection: Connection) -> ProfileOrder:
    return read_order(connection.execute(select(*ORDER_COLUMNS)).one())


def test_profiles_are_stocked_with_metadata_and_their_orders_expire(
    installation: Installation, tmp_path: Path
) -> None:
    package, icon = tmp_path / "one.der", tmp_path / "icon.jpg"
    package.write_bytes(profile_package(1))
    icon.write_bytes(b"\xff\xd8\xff" + bytes(1000))
    _kswifi("add", "Acme", "--certificate", str(self_signed(tmp_path, "acme").pem))
    stock = ("stock", "Acme", str(package), "--type", "prepaid", "--icon", str(icon), "--order-days", "30")
    rule = ("--policy-rule", "deletion-not-allowed", "--profile-name", "Acme Prepaid")
    with pytest.raises(OperatorRefusedError, match="owner"):
        _kswifi(*stock, *rule)
    for owner in ("6213", "62134/zz", "62134/01/02/03", "62134/" + "00" * 33):
        with pytest.raises(OperatorRefusedError, match=r"owner|group"):
            _kswifi(*stock, *rule, "--owner", owner)
    _kswifi(*stock, *rule, "--owner", "62134/0A")
    vault = SubscriberVault(bytes(32))
    _, _, said = together(installation, lambda c: open_stocked_package(c, vault, str(iccid(1))))
    assert said == StockMetadata(
        "Acme Prepaid", icon.read_bytes(), ProfileOwner(b"\x26\xf1\x43", b"\x0a"), frozenset({2}), 30
    )
    with pytest.raises(OperatorRefusedError, match="profile is available"):
        _kswifi("expire", "Acme", str(iccid(1)))
    events = (ProfileEvent.ALLOCATE, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)
    together(installation, lambda c: move_order(c, order_now(c), *events))
    assert "has expired" in _kswifi("expire", "Acme", str(iccid(1)))
    assert together(installation, order_now).profile_state is ProfileState.ERROR
    with pytest.raises(RspRefusedError):
        _kswifi("expire", "Acme", str(iccid(2)))
