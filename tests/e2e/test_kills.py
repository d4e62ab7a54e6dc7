"""SIGKILL at seeded moments in every stage of the road, and inside a journal write: the road goes on to its end.

The seed is printed; ``TEST_SEED=... pytest tests/e2e/test_kills.py`` draws the same moments again.
"""

import os
import signal
import threading
from pathlib import Path
from random import Random

import pytest

from kswifi.lab.gateway.count import LARGEST_WRITE_OCTETS
from kswifi.lab.phone.card import Card
from kswifi.rsp.session_record import RECORD_OCTETS
from tests.support.kills import STAGE_SECONDS, VICTIMS, Kill, KillingTeller, PersistentRoad
from tests.support.long_runs import cases
from tests.support.system import OFFERS, running_system

SEED = int(os.environ.get("TEST_SEED", "20261123"))

SMALL_GRANTS = {"grant_cap_octets": 100_000}
PLANNED = {
    "early": [("register", "server"), ("order", "journal"), ("download", "server"), ("browse", "server")],
    "middle": [("order", "server"), ("store", "server"), ("line_on", "lab"), ("browse", "lab")],
    "late": [("download", "lab"), ("line_on", "server"), ("browse", "journal"), ("back_to_wifi", "server")],
    "both": [("offers", "server"), ("store", "journal"), ("browse", "lab"), ("browse", "server")],
    "again": [("store", "lab"), ("browse", "lab"), ("browse", "journal"), ("back_to_wifi", "lab")],
}
"""Twenty kills: every stage, each victim, and both at once. Sixteen of them belong to the soak."""


def walk_through(folder: Path, kills: list[Kill], offer_id: str, **settings: int) -> None:
    planned = len(kills)
    with running_system(folder, **settings) as system:
        teller = KillingTeller(system, kills)
        with system.road(teller) as road:
            walker = PersistentRoad(system, road, teller)
            try:
                walker.walk(offer_id)
            finally:
                teller.join()
            session_id = road.walked.session_id
        print(f"{teller.told}, {walker.attaches} attaches, {walker.runs} runs, seed {SEED}")
        assert len(teller.told) == planned
        assert road.walked.final["state"] == "exhausted"
    account = system.account(session_id)  # after both have stopped
    allowance = OFFERS[offer_id]
    assert (account.credited, account.used) == (allowance, allowance)
    assert (account.reserved, account.available, account.overrun) == (0, 0, 0)
    assert walker.surely_delivered <= account.used
    overcharged = account.used - walker.at_most_delivered
    assert overcharged <= teller.lab_kills * LARGEST_WRITE_OCTETS, f"{overcharged} octets, {teller.told}"
    gateway = system.data_dir / "lab" / "gateway"
    assert [it.name for it in gateway.rglob("*.count")] == []
    with Card.open(folder / "phone" / "card") as card:
        (profile,) = card.profiles()
        (record,) = card.read_session_records()
        assert profile.enabled
        assert len(record) >= RECORD_OCTETS


@cases("name", tuple(PLANNED), always=["both"])
def test_the_road_goes_on_through_kills(tmp_path: Path, name: str) -> None:
    chance = Random(f"{SEED} {name}")
    kills = [Kill.drawn(stage, victim, chance) for stage, victim in PLANNED[name]]
    if name in ("early", "late"):
        walk_through(tmp_path, kills, "free-20mb", **SMALL_GRANTS)
    else:
        walk_through(tmp_path, kills, "free-200mb")


@pytest.mark.parametrize(("moment", "record"), [("before", 1), ("inside", 3), ("after", 7)])
def test_a_server_that_dies_inside_a_journal_write_has_written_all_of_it_or_nothing(
    tmp_path: Path, moment: str, record: int
) -> None:
    with running_system(tmp_path, grant_cap_octets=100_000) as system:
        system.stop()
        system.alter["server"] = ("journal_that_dies", (moment, record))
        system.start()
        died: list[int | None] = []

        def revive() -> None:
            died.append(system.ended_by("server", 60))
            system.alter.clear()
            system.start_one("server")

        reviver = threading.Thread(target=revive)
        reviver.start()
        teller = KillingTeller(system, [])
        with system.road(teller) as road:
            walker = PersistentRoad(system, road, teller)
            walker.walk("free-3mb")
            session_id = road.walked.session_id
        reviver.join()
        assert died == [-signal.SIGKILL]
    account = system.account(session_id)
    assert (account.used, account.available, account.reserved, account.overrun) == (3_000_000, 0, 0, 0)
    assert walker.surely_delivered == walker.at_most_delivered == 3_000_000  # a dead server costs nobody an octet


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(60))
def test_the_road_goes_on_through_many_kills(tmp_path: Path, turn: int) -> None:
    chance = Random(f"{SEED} soak {turn}")
    stages = [*chance.sample(sorted(STAGE_SECONDS), 3), "browse"]
    kills = [Kill.drawn(stage, chance.choice(VICTIMS), chance) for stage in stages]
    if turn % 2:
        walk_through(tmp_path, kills, "free-20mb", **SMALL_GRANTS)
    else:
        walk_through(tmp_path, kills, "free-200mb")
