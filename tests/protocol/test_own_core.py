"""`kswifi subscribers`: lines handed to Open5GS' subscriber database, as a file and over MongoDB's wire."""

import asyncio
import json
import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from bson import json_util
from bson.int64 import Int64
from typer.testing import CliRunner

from kswifi.aka import milenage
from kswifi.cli.provisioning.subscribers import SUBSCRIBERS_COMMAND_REFUSED, subscribers_app
from kswifi.data_directory.layout import Installation
from kswifi.esim.errors import OwnCoreRefusedError
from kswifi.esim.lines.own_core import MOST_KBPS, Subscription
from kswifi.esim.lines.vault import SubscriberKeys
from tests.support.mongo_stub import mongo_stub
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, open_road


@dataclass
class Lines:
    """Two lines; the first has had a vector already."""

    installation: Installation
    keys: dict[str, SubscriberKeys]

    @property
    def log(self) -> Path:
        return self.installation.log_dir / "subscribers.log"

    def secrets(self) -> list[str]:
        return [secret.hex() for keys in self.keys.values() for secret in (keys.k, keys.opc)]


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "var"))
    installation = Installation(tmp_path / "var").open()
    installation.read_or_make(installation.subscriber_key, lambda: bytes(32))
    keys = {}

    async def prepare() -> None:
        async with open_road(installation.data_dir) as road:
            for user in (ADA, BOLA):
                line = await road.database.write(partial(road.orders.allocate, user_id=user))
                keys[str(line.numbers.imsi)] = await road.keys(line.numbers.imsi)
            await road.authentication_centre.eutran_vector(min(keys), bytes(3))

    asyncio.run(prepare())
    installation.close()
    return Lines(installation, keys)


def _kswifi(*arguments: str) -> str:
    result = CliRunner().invoke(subscribers_app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_an_export_is_what_the_core_reads(lines: Lines, tmp_path: Path) -> None:
    output = tmp_path / "subscribers.json"
    shown = _kswifi("export", "--output", str(output), "--apn", "kswifi", "--downlink-kbps", "5000")
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    documents = json_util.loads(output.read_text())
    assert [document["imsi"] for document in documents] == sorted(lines.keys)
    for document, sqn in zip(documents, (2 << 5, 1 << 5), strict=True):
        keys = lines.keys[document["imsi"]]
        security = document["security"]
        assert (security["k"], security["opc"], security["op"]) == (keys.k.hex(), keys.opc.hex(), None)
        assert (security["amf"], security["sqn"]) == ("8000", sqn)
        assert isinstance(security["sqn"], Int64), "the HSS passes over a number of 32 bits here"
        assert document["ambr"]["downlink"] == {"value": 5_000_000, "unit": 0}
        (slice_,) = document["slice"]
        (session,) = slice_["session"]
        assert (session["name"], session["type"], session["qos"]["index"]) == ("kswifi", 1, 9)
        # The first vector of the core is one that the card takes: above all that were given out.
        vector = milenage.generate_vector(keys.k, keys.opc, security["sqn"], bytes.fromhex("8000"), bytes(16))
        assert milenage.verify_autn(keys.k, keys.opc, vector.rand, vector.autn).sqn >> 5 == sqn >> 5
    noted = lines.log.read_text()
    assert noted.split()[1:5] == ["export", "open5gs", "subscribers=2", f"to={output}"]
    assert stat.S_IMODE(lines.log.stat().st_mode) == 0o600
    assert not any(secret in noted + shown for secret in lines.secrets())
    with refused(SUBSCRIBERS_COMMAND_REFUSED, match="overwrites nothing"):
        _kswifi("export", "--output", str(output))


def test_one_imsi_and_one_without_a_line(lines: Lines, tmp_path: Path) -> None:
    one = max(lines.keys)
    _kswifi("export", "--output", str(tmp_path / "one.json"), "--imsi", one)
    assert [document["imsi"] for document in json.loads((tmp_path / "one.json").read_text())] == [one]
    with pytest.raises(OwnCoreRefusedError, match="no line"):
        _kswifi("export", "--output", str(tmp_path / "none.json"), "--imsi", "001019999999999")
    assert not (tmp_path / "none.json").exists()


def test_a_sync_brings_up_to_date_and_leaves_what_the_core_counted(lines: Lines) -> None:
    with mongo_stub() as core:
        assert _kswifi("sync", "--uri", core.uri).startswith("2 new subscribers, 0 ")
        assert core.namespaces == {("open5gs", "subscribers")}
        first, second = (core.documents[imsi] for imsi in sorted(lines.keys))
        assert (first["security"]["sqn"], second["security"]["sqn"]) == (64, 32)
        # The core goes on by itself: it counts, it notes the phone, and its database's owner broke a key.
        first["security"]["sqn"], first["imeisv"], first["security"]["k"] = Int64(3200), "3534900698733190", "00"
        assert _kswifi("sync", "--uri", core.uri, "--uplink-kbps", "64").startswith("0 new subscribers, 2 ")
        assert (first["security"]["sqn"], first["imeisv"]) == (3200, "3534900698733190")
        assert first["security"]["k"] == lines.keys[first["imsi"]].k.hex()
        assert first["ambr"]["uplink"] == {"value": 64_000, "unit": 0}
        assert len(core.documents) == 2
    assert lines.log.read_text().count("sync open5gs subscribers=2 to=127.0.0.1:") == 2


def test_the_error_of_a_database_that_refuses_holds_no_keys_or_passwords(lines: Lines) -> None:
    with mongo_stub() as core:
        core.refuse_after = 1
        with pytest.raises(OwnCoreRefusedError, match="after 1 subscribers") as caught:
            _kswifi("sync", "--uri", core.uri)
        assert not any(secret in str(caught.value) for secret in lines.secrets())
        core.refuse_after = None
        assert _kswifi("sync", "--uri", core.uri).startswith("1 new subscribers, 1 ")
    with pytest.raises(OwnCoreRefusedError) as caught:
        _kswifi("sync", "--uri", "mongodb://core:hush@[/open5gs")
    assert "hush" not in str(caught.value) + lines.log.read_text()


def test_what_no_subscription_is() -> None:
    for apn in ("", "a" * 64, "two words", "-lead"):
        with pytest.raises(OwnCoreRefusedError):
            Subscription(apn)
    for rate in (0, MOST_KBPS + 1):
        with pytest.raises(OwnCoreRefusedError):
            Subscription(downlink_kbps=rate)
    assert Subscription(downlink_kbps=MOST_KBPS).downlink_kbps * 1000 < 2**31
