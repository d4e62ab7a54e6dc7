"""Kills processes of a running system at seeded moments while a phone walks its road, and walks on.

What a person does when something breaks off, `PersistentRoad` does: attach again, browse again. Its sums are what
the phone's own sockets counted.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from kswifi.kernel.errors import KswifiError
from kswifi.lab.attach_wire import AttachWireError
from kswifi.lab.demo.road import Road
from kswifi.lab.phone.modem import AttachError
from kswifi.lab.phone.network import PhoneNetworkError
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficError, TrafficPlan
from tests.support.system import PASSWORD, WholeSystem, new_identifier

STAGE_SECONDS: Final = {
    "register": 0.2, "offers": 0.03, "order": 0.15, "download": 0.3, "store": 0.45,
    "leave_wifi": 0.01, "line_on": 0.03, "browse": 0.5, "back_to_wifi": 0.1,
}  # fmt: skip
"""About how long each takes on a busy machine: a kill falls into the stage, or just after it."""
VICTIMS: Final = ("server", "lab", "journal")
_LONGEST_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: "journal" is the server, at the first growth of the ledger's write-ahead log after the moment."""

    stage: str
    victim: str
    after_seconds: float

    @classmethod
    def drawn(cls, stage: str, victim: str, chance: Random) -> "Kill":
        return cls(stage, victim, round(chance.uniform(0, STAGE_SECONDS[stage]), 4))


@dataclass(slots=True)
class KillingTeller:
    """Starts the kills of a stage when that stage begins."""

    system: WholeSystem
    kills: list[Kill]
    stage: str = ""
    told: list[str] = field(default_factory=list)
    lab_kills: int = 0
    failures: list[BaseException] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, stage: str) -> None:
        self.stage = stage
        for kill in [it for it in self.kills if it.stage == stage]:
            self.kills.remove(kill)
            thread = threading.Thread(target=self._kill, args=(kill,))
            self._threads.append(thread)
            thread.start()

    def progress(self, done: int, total: int) -> None: ...

    def note(self, words: str) -> None: ...

    def end(self, stage: str, seconds: float) -> None: ...

    def join(self) -> None:
        """Wait until every kill that was let loose is done and its victim is up again."""
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def _kill(self, kill: Kill) -> None:
        time.sleep(kill.after_seconds)
        if kill.victim == "journal":
            _wait_for_growth(self.system.data_dir / "ledger" / "ledger.db-wal")
        name = "lab" if kill.victim == "lab" else "server"
        try:
            with self._turn:
                self.system.kill(name)
                self.told.append(f"{kill.victim} in {self.stage} ({kill.stage} + {kill.after_seconds} s)")
                self.lab_kills += name == "lab" and self.stage == "browse"
                self.system.start_one(name)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            self.failures.append(error)


def _wait_for_growth(file: Path, seconds: float = 3.0) -> None:
    until = time.monotonic() + seconds
    before = file.stat().st_size if file.exists() else 0
    while time.monotonic() < until:
        if (file.stat().st_size if file.exists() else 0) > before:
            return
        time.sleep(0.0005)


@dataclass(slots=True)
class PersistentRoad:
    """Walks a road to its end, whatever is killed under way."""

    system: WholeSystem
    road: Road
    teller: KillingTeller
    surely_delivered: int = 0
    """Octets that came, and octets that were sent and answered."""
    at_most_delivered: int = 0
    """The same, and what was sent last on flows that broke off."""
    attaches: int = 0
    runs: int = 0

    def walk(self, offer_id: str) -> None:
        road = self.road
        road.register(new_identifier(), PASSWORD)
        road.choose(offer_id)
        road.order()
        road.download(break_off=True)
        road.store()
        road.leave_wifi()
        road.network.line = True
        self.teller.begin("line_on")
        self._get_on_line()
        self.teller.begin("browse")
        self._browse(int(road.walked.offer["allowance_octets"]))
        road.return_to_wifi()
        self.teller.join()

    def _get_on_line(self) -> None:
        """Attach, and again until the network lets us in."""
        until = time.monotonic() + _LONGEST_SECONDS
        while True:
            try:
                self.road.modem.attach(self.road.card, self.road.card.imsi())
            except (AttachError, AttachWireError, OSError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                self.attaches += 1
                return

    def _browse(self, allowance: int) -> None:
        """Run traffic until the network says that the allowance is used up."""
        until = time.monotonic() + _LONGEST_SECONDS
        while not self._is_used_up(allowance):
            if time.monotonic() > until:
                raise AssertionError(f"the road has no end: {self}, line {self.road.modem.access}")
            if self.road.network.credentials is None or self.road.modem.access != "full":
                self._get_on_line()
                if self.road.modem.access != "full":
                    time.sleep(0.2)
                    continue
            self._run(allowance)
            self.road.modem.wait_for_access("control_only", "ended", "detached", seconds=10)

    def _run(self, allowance: int) -> None:
        seed = f"{self.road.walked.session_id}-{self.runs}"
        plan = TrafficPlan.until_cut(seed, allowance) if not self.runs else TrafficPlan(seed, post_flows=0)
        try:
            result = run_traffic(self.road.network.credentials, self.road._content, plan)
        except (TrafficError, PhoneNetworkError) as broken:
            self._count(broken)
            return
        finally:
            self.runs += 1
        result.check()
        self.surely_delivered += result.delivered_octets - result.unconfirmed_octets
        self.at_most_delivered += result.delivered_octets

    def _count(self, broken: KswifiError) -> None:
        delivered = broken.facts.get("delivered_octets", 0)
        unconfirmed = broken.facts.get("unconfirmed_octets", 0)
        assert isinstance(delivered, int)
        assert isinstance(unconfirmed, int)
        self.surely_delivered += delivered - unconfirmed
        self.at_most_delivered += delivered

    def _is_used_up(self, allowance: int) -> bool:
        if self.road.modem.access == "full":
            return False
        return self.system.account(self.road.walked.session_id).used >= allowance
