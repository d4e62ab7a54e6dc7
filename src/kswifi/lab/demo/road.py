"""The road of one InternetSession, stage by stage, as a phone walks it.

Every stage can be walked again after a crash of the server or the lab: what was done is found done. The only thing
counted here is what this process's own sockets sent and received; what the network charged is read from the server
and compared at the end.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import stamina

from kswifi.kernel.clock import SystemClock
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Iccid
from kswifi.kernel.quantities import format_naira
from kswifi.lab.demo.app import Downloaded, PhoneApp
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es9 import Es9UnreachableError
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network, ProxyAnswerError
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan, TrafficResult
from kswifi.lab.settings import HostPort
from kswifi.session_package import VerifiedPackage, verify_package

_CUT_OFF_SECONDS: Final = 30.0
_TRIES: Final = 40
_TRY_SECONDS: Final = 60.0
UNCAPPED_OCTETS: Final = 2_000_000_000
"""What is spent of a session without a limit."""

_FLOWS: Final = 16
_CUT_OFF_ACCESS: Final = ("control_only", "ended")


class RoadError(KswifiError):
    """A stage did not happen as it should."""

    code = "road_blocked"


class Teller(Protocol):
    """Who is told what happens, while it happens."""

    def begin(self, stage: str) -> None:
        """A stage begins."""
        ...

    def progress(self, done: int, total: int) -> None:
        """So many octets of so many."""
        ...

    def note(self, words: str) -> None:
        """Something worth knowing was learnt."""
        ...

    def end(self, stage: str, seconds: float) -> None:
        """The stage ended well."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that really ran."""

    name: str
    seconds: float


@dataclass(slots=True)
class Walked:
    """What the road has led to so far."""

    offer: Mapping[str, Any] = field(default_factory=dict)
    payment: Mapping[str, Any] = field(default_factory=dict)
    session_id: str = ""
    esim_id: str = ""
    package: VerifiedPackage | None = None
    downloaded: Downloaded = field(default_factory=Downloaded)
    traffic: TrafficResult | None = None
    network_said: str = ""
    final: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)


class Road:
    """One phone on its way: its app, its card, its network and its modem."""

    def __init__(
        self,
        app: PhoneApp,
        card: Card,
        network: Network,
        modem: Modem,
        servers: ProfileServers,
        content: HostPort,
        folder: Path,
        teller: Teller,
    ) -> None:
        self.app = app
        self.card = card
        self.network = network
        self.modem = modem
        self.walked = Walked()
        self._servers = servers
        self._content = content
        self._package_file = folder / "session.kswifi"
        self._teller = teller

    def walk(self, offer_id: str, identifier: str, password: str, pass_days: Callable[[int], None]) -> Walked:
        """Walk all of it; ``pass_days`` lets so many days go by, for what ends with a day alone.

        Raises:
            KswifiError: a stage was refused or did not happen; the stages before it are in ``walked``.
        """
        self.register(identifier, password)
        self.choose(offer_id)
        if self.walked.offer["price_kobo"]:
            self.buy()
        self.order()
        self.download(break_off=True)
        self.store()
        self.leave_wifi()
        self.switch_line_on()
        if self.uncapped:
            self.browse_without_limit()
            self.live_until_the_end(pass_days)
        else:
            self.browse_until_cut_off()
        self.return_to_wifi()
        return self.walked

    @property
    def uncapped(self) -> bool:
        """Whether no octet ends the session, but a day."""
        return self.walked.offer["allowance_octets"] is None

    def register(self, identifier: str, password: str) -> None:
        """Make an account."""
        with self.stage("register"):
            self.app.register(identifier, password)
            self._teller.note(f"account of {identifier}")

    def choose(self, offer_id: str) -> None:
        """List the offers and take one."""
        with self.stage("offers"):
            offers = self.app.offers()
            for offer in offers:
                self._teller.note(str(offer["title"]) + ("   <- this one" if offer["id"] == offer_id else ""))
            chosen = [offer for offer in offers if offer["id"] == offer_id]
            if not chosen:
                known = ", ".join(str(offer["id"]) for offer in offers)
                raise RoadError(f"there is no offer {offer_id!r}; there are {known}", offer=offer_id)
            self.walked.offer = chosen[0]

    def buy(self) -> None:
        """Pay at the checkout; the gateway tells the server, the server asks the gateway, and the pass runs."""
        with self.stage("buy"):
            if not self.walked.payment:
                self.walked.payment = self.app.buy(str(self.walked.offer["id"]))
            held = self.app.current_pass()
            if not held["active"]:
                raise RoadError("it was paid for, and no pass runs")
            paid = self.walked.payment
            self._teller.note(
                f"SANDBOX, no money moved: {paid['reference']}, {format_naira(paid['amount_kobo'])}; "
                f"the pass runs until {held['ends_at']}"
            )

    def order(self) -> None:
        """Order the session; the server signs its package."""
        with self.stage("order"):
            if not self.walked.session_id:
                self.walked.session_id = str(self.app.order(str(self.walked.offer["id"]))["session_id"])
            session = self.app.wait_until(self.walked.session_id, ("packaged", "downloading"))
            self.walked.esim_id = str(session["esim_id"])
            self._teller.note(f"session {self.walked.session_id}, valid until {session['valid_until']}")

    def download(self, *, break_off: bool) -> None:
        """Fetch the package over WiFi, resumed where it broke off, and verify it on this device."""
        with self.stage("download"):
            size = int(self.app.internet_session(self.walked.session_id)["package_octets"])
            self.walked.downloaded = self.app.download(
                self.walked.session_id, self._package_file, self._teller.progress, size // 2 if break_off else None
            )
            octets = self._package_file.read_bytes()
            self.walked.package = verify_package(octets, self.app.keys(), None, SystemClock().now())
            self.app.downloaded(self.walked.session_id, hashlib.sha256(octets).hexdigest())
            self._teller.note(f"{len(octets)} octets, {_resumed(self.walked.downloaded)}; all of it verified")

    def store(self) -> None:
        """Have the card download the profile with the session in it; its signed result proves that it holds it."""
        with self.stage("store"):
            if self.app.internet_session(self.walked.session_id)["state"] == "downloaded":
                self.app.transfer(self.walked.session_id, self.walked.esim_id)
            self._put_on_card()
            session = self.app.wait_until(self.walked.session_id, ("stored",))
            road = "by a secured packet" if session["storage_proof"] == "por" else "installed by ES9+"
            self._teller.note(f"card {self.card.eid()}: {road}, proof {session['storage_proof']}")

    def leave_wifi(self) -> None:
        """Switch WiFi off: from here on this process reaches the access network alone."""
        with self.stage("leave_wifi"):
            self.network.wifi = False
            self.app.leave_wifi()

    def switch_line_on(self) -> None:
        """Attach: the network authenticates the SIM, the SIM the network."""
        with self.stage("line_on"):
            self.network.line = True
            attachment = self.modem.attach(self.card, self.card.imsi())
            self._teller.note(
                f"authenticated by Milenage AKA; {attachment.access} access as {attachment.pdn_address}"
            )

    def browse_until_cut_off(self, octets: int | None = None) -> None:
        """Move data until the network ends it, and check that what came is what was sent.

        It is expected after the session's octets, or after so many where one session follows another.
        """
        with self.stage("browse"):
            if self.uncapped:
                raise RoadError("an uncapped session has no cut-off to browse to")
            total = octets or int(self.walked.offer["allowance_octets"])
            if not self._browse(TrafficPlan.until_cut(self.walked.session_id, total), total).cut_off:
                raise RoadError("the flows ended, but not by the network")
            if not self.modem.wait_for_access(*_CUT_OFF_ACCESS, seconds=_CUT_OFF_SECONDS):
                raise RoadError(f"the network has not said that the line is cut: it said {self.modem.access}")
            self.walked.network_said = self.modem.access
            self._teller.note(f"the network cut the line: {self.modem.access} ({self.modem.reason})")
        self._check_content()

    def browse_without_limit(self, octets: int = UNCAPPED_OCTETS) -> None:
        """Move two gigabytes, or so many octets; nothing ends them."""
        with self.stage("browse_much"):
            each, posted = octets // _FLOWS, min(4_000_000, octets // 100)
            plan = TrafficPlan(self.walked.session_id, flows=_FLOWS, post_octets=posted, get_octets=each)
            if self._browse(plan, octets).cut_off:
                raise RoadError("the network cut an uncapped session before its end")
        self._check_content()

    def live_until_the_end(self, pass_days: Callable[[int], None]) -> None:
        """Switch the line off, let the session's days go by, and see that the network carries nothing any more.

        Raises:
            RoadError: the network carried something.
        """
        self._line_off()
        with self.stage("days_pass"):
            days = int(self.walked.offer["valid_days"]) + 1
            pass_days(days)
            self._teller.note(f"the server lives {days} days later, on the same data")
        self.switch_line_on()
        with self.stage("refused"):
            self.walked.network_said = self.modem.access
            if self.modem.access not in _CUT_OFF_ACCESS:
                raise RoadError(f"the session is over, and the network gives {self.modem.access} access")
            try:
                self.network.connect_over_line(*self._content).close()
            except ProxyAnswerError as refused:
                self._teller.note(f"the network refuses: {refused.message}")
            else:
                raise RoadError("the session is over, and the network carries on")

    def _line_off(self) -> None:
        with self.stage("line_off"):
            self.modem.detach()
            self.network.line = False

    def _browse(self, plan: TrafficPlan, total: int) -> TrafficResult:
        moved = run_traffic(
            self.network.credentials, self._content, plan, lambda done: self._teller.progress(done, total)
        )
        self.walked.traffic = moved
        return moved

    def _check_content(self) -> None:
        with self.stage("check_content"):
            if self.walked.traffic is None:
                raise RoadError("nothing was moved")
            self.walked.traffic.check()
            self._teller.note(f"{len(self.walked.traffic.received)} streams hashed and found as sent")

    def return_to_wifi(self) -> None:
        """Switch the line off, find WiFi again, and read what the ledger says."""
        with self.stage("back_to_wifi"):
            self.modem.detach()
            self.network.line = False
            self.network.wifi = True
            end = "expired" if self.uncapped else "exhausted"
            self.walked.final = self.app.wait_until(self.walked.session_id, (end,))
            self.walked.usage = self.app.usage(self.walked.session_id)

    def _put_on_card(self) -> None:
        """Download and enable the profile, and deliver the card's result; a server that is away is asked again."""
        for attempt in stamina.retry_context(
            on=Es9UnreachableError, attempts=_TRIES, timeout=_TRY_SECONDS, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                waiting = self._download_profile()
                if waiting:
                    raise Es9UnreachableError(f"the card's result is not delivered: {waiting[0]}")

    def _download_profile(self) -> list[str]:
        """Do what an earlier try has left to do; return the notifications that wait on the card."""
        package = self.walked.package
        if package is None:
            raise RoadError("no package is on the device")
        iccid = Iccid(package.manifest.iccid)
        if self.app.profile_state(self.walked.esim_id) == "installed":
            self.carry_packets()
            return []
        here = next((profile for profile in self.card.profiles() if profile.iccid == iccid), None)
        if here is None:
            self.app.wait_for_profile(self.walked.esim_id)
            code = ActivationCode.parse(str(package.activation["activation_code"]))
            return self._servers.download(self.card, code)
        if not here.enabled:
            self.card.enable(iccid)
        return self._servers.deliver_notifications(self.card)

    def carry_packets(self) -> int:
        """Hand the card what is written for it, its radio off; return how many packets it proved."""
        return self.app.carry_packets(
            self.walked.esim_id, lambda iccid, envelopes: self.card.hand_over(Iccid(iccid), envelopes)
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell of a stage and time it."""
        self._teller.begin(name)
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.walked.stages.append(Stage(name, seconds))
        self._teller.end(name, seconds)


def _resumed(downloaded: Downloaded) -> str:
    """Return how the download went on.

    Raises:
        RoadError: it broke off and began anew: the server or the app cannot resume.
    """
    if downloaded.resumed_at is not None:
        return f"broken off and resumed at octet {downloaded.resumed_at}"
    if downloaded.broke_off:
        raise RoadError("the download broke off and began anew instead of going on where it was")
    return f"in {downloaded.tries} tries" if downloaded.tries > 1 else "in one go"
