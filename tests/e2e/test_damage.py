"""A lost or damaged part of the data directory is said in words, nothing is made anew, and nothing half-starts."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kswifi.euicc.errors import CardDamagedError
from kswifi.lab.children import ChildFailedError
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.modem import AttachError
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from kswifi.ledger import inspect as ledger
from kswifi.sessions.signing import fresh_signing_key_pem
from tests.support.system import WholeSystem, running_system, whole_system


@dataclass(frozen=True)
class Used:
    """A data directory whose server and lab were killed in the middle of their work."""

    data_dir: Path
    phone: Path
    imsi: str
    session_id: str


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder = tmp_path_factory.mktemp("used")
    with running_system(folder, grant_cap_octets=100_000) as system, system.stored("free-3mb", "phone") as road:
        road.network.line = True
        road.modem.attach(road.card, road.card.imsi())
        plan = TrafficPlan("some", flows=2, post_flows=0, get_octets=400_000)
        run_traffic(road.network.credentials, road._content, plan)
        imsi, session_id = road.card.imsi(), road.walked.session_id
        system.kill("server")  # so that its write-ahead logs are what they are, and no snapshot was made
        system.kill("lab")
        yield Used(system.data_dir, folder / "phone", imsi, session_id)


def copy_of(used: Used, folder: Path) -> WholeSystem:
    system = whole_system(folder, grant_cap_octets=100_000)
    shutil.copytree(used.data_dir, system.data_dir)
    shutil.copytree(used.phone, folder / "phone")
    return system


def start_is_refused(system: WholeSystem) -> str:
    with pytest.raises(ChildFailedError) as refused:
        system.start()
    assert not system.children
    words = refused.value.message
    assert "Traceback" not in words
    assert "Error:" not in words, f"not words for people: {words}"
    return words


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(max(100, path.stat().st_size)))


def cut(path: Path, octets: int) -> None:
    with path.open("r+b") as file:
        file.truncate(max(0, path.stat().st_size - octets))


def flip(path: Path, at: int) -> None:
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0x10
    path.write_bytes(octets)


def drop_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def test_undamaged_it_carries_on(used: Used, tmp_path: Path) -> None:
    system = copy_of(used, tmp_path)
    system.start()
    try:
        with system.road() as road:
            road.network.wifi = False
            road.modem.attach(road.card, used.imsi)
            run_traffic(road.network.credentials, road._content, TrafficPlan("rest", flows=2, post_flows=0))
            assert road.modem.wait_for_access("control_only", seconds=10)
    finally:
        system.stop()
    account = system.account(used.session_id)
    assert (account.used, account.overrun, account.available) == (3_000_000, 0, 0)


def flip_record(path: Path) -> None:
    """Change a record as somebody would who knows SQL."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE record SET payload = CAST(payload || x'00' AS BLOB) WHERE sequence = 3")
    connection.commit()
    connection.close()


def empty_database(path: Path) -> None:
    drop_database(path)
    path.touch()


def another_signing_key(path: Path) -> None:
    path.write_bytes(fresh_signing_key_pem())


def another_subscriber_key(path: Path) -> None:
    path.write_bytes(os.urandom(32))


def half(path: Path) -> None:
    cut(path, path.stat().st_size // 2)


AFTER_A_KILL: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "signing key lost": ("keys/session-signing.pem", Path.unlink, "has lost session-signing.pem"),
    "signing key empty": (
        "keys/session-signing.pem",
        lambda path: cut(path, 10**6),
        "has lost session-signing.pem",
    ),
    "signing key damaged": ("keys/session-signing.pem", garbage, "session signing key cannot be read"),
    "signing key of another": ("keys/session-signing.pem", another_signing_key, "another one"),
    "subscriber key lost": ("keys/subscriber-keys.bin", Path.unlink, "has lost subscriber-keys.bin"),
    "subscriber key cut": ("keys/subscriber-keys.bin", lambda path: cut(path, 5), "subscriber key file has"),
    "subscriber key of another": ("keys/subscriber-keys.bin", another_subscriber_key, "key file is another one"),
    "certificates lost": ("pki", shutil.rmtree, "has lost pki"),
    "control database lost": ("control.db", drop_database, "has lost control.db"),
    "control database emptied": ("control.db", empty_database, "has lost control.db"),
    "ledger lost": ("ledger/ledger.db", drop_database, "ledger.db is missing"),
    "ledger folder lost": ("ledger", shutil.rmtree, "is known to have been written"),
    "ledger's tail cut": ("ledger/ledger.db-wal", lambda path: cut(path, 5000), "tail is lost or damaged"),
    "ledger's tail lost": ("ledger/ledger.db-wal", Path.unlink, "tail is lost or damaged"),
    "a bit of the ledger's tail": (
        "ledger/ledger.db-wal",
        lambda path: flip(path, -3000),
        "tail is lost or damaged",
    ),
    "ledger's head damaged": ("ledger/ledger.head", lambda path: cut(path, 3), "ledger.head"),
    "a record changed": ("ledger/ledger.db", flip_record, "record 3"),
}
AFTER_A_STOP: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "control database garbage": ("control.db", garbage, "control.db"),
    "control database cut": ("control.db", half, "control.db"),
    "ledger garbage": ("ledger/ledger.db", garbage, "ledger.db"),
    "ledger cut": ("ledger/ledger.db", half, "ledger.db"),
}


@pytest.fixture(scope="module")
def rested(used: Used, tmp_path_factory: pytest.TempPathFactory) -> Used:
    """The same, started again and stopped cleanly: the databases are whole files, and there is a snapshot."""
    system = copy_of(used, tmp_path_factory.mktemp("rested"))
    system.start()
    system.stop()
    return replace(used, data_dir=system.data_dir)


@pytest.mark.parametrize("kind", [*AFTER_A_KILL, *AFTER_A_STOP])
def test_damage_is_said_and_nothing_is_made_anew(used: Used, rested: Used, tmp_path: Path, kind: str) -> None:
    part, damage, words = (AFTER_A_KILL | AFTER_A_STOP)[kind]
    system = copy_of(used if kind in AFTER_A_KILL else rested, tmp_path)
    damage(system.data_dir / part)
    kept = (system.data_dir / part).read_bytes() if (system.data_dir / part).is_file() else None
    said = start_is_refused(system)
    print(said)
    assert words in said
    assert start_is_refused(system) == said  # nothing was repaired by looking at it
    if part.startswith("keys/"):
        assert ((system.data_dir / part).read_bytes() if kept is not None else None) == kept
        assert (system.data_dir / part).exists() is (kept is not None)


def test_a_damaged_snapshot_is_passed_over_and_reported(rested: Used, tmp_path: Path) -> None:
    system = copy_of(rested, tmp_path)
    (snapshot,) = [it for it in (system.data_dir / "ledger").iterdir() if "snapshot" in it.name]
    flip(snapshot, snapshot.stat().st_size // 2)
    assert ledger.verify(system.data_dir / "ledger").damage
    system.start()
    system.stop()
    assert "ledger_snapshot_rejected" in (system.log_dir / "server.log").read_text()
    assert ledger.verify(system.data_dir / "ledger").accounts == 1


def test_a_damaged_card_is_refused_and_left_as_it_is(used: Used, tmp_path: Path) -> None:
    shutil.copytree(used.phone, tmp_path / "phone")
    card = tmp_path / "phone" / "card" / "card.bin"
    flip(card, card.stat().st_size // 2)
    damaged = card.read_bytes()
    with pytest.raises(CardDamagedError, match="checksum"):
        Card.open(card.parent)
    assert card.read_bytes() == damaged


def test_a_damaged_count_is_set_aside_and_reported(used: Used, tmp_path: Path) -> None:
    system = copy_of(used, tmp_path)
    (count,) = (system.data_dir / "lab" / "gateway").glob("*.count")
    flip(count, 20)
    system.start()
    try:
        assert "a count file is damaged: its usage is unknown" in (system.log_dir / "lab.log").read_text()
        assert (count.parent / "damaged" / count.name).exists()
        with system.road() as road, pytest.raises(AttachError):
            road.modem.attach(road.card, "621990000000001")  # the gateway itself works on
    finally:
        system.stop()
