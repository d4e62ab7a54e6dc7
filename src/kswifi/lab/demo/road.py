"""The way of one InternetSession on a phone, from the account to the cut-off, stage by stage (the "road").

Every stage can be repeated after a crash of the server or the lab; a step that was done before is found done. This
process counts only the octets of its own sockets. The octets that the network charged are read from the server and
compared with them at the end.
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
"""How many octets the demo uses of a session without a limit."""

_FLOWS: Final = 16
_CUT_OFF_ACCESS: Final = ("control_only", "ended")


class RoadError(KswifiError):
    """A stage did not have the expected result."""

    code = "road_blocked"


class Teller(Protocol):
    """Shows the progress of the demo while it happens."""

    def begin(self, stage: str) -> None:
        """Show that a stage begins."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Show how many octets of how many were moved."""
        ...

    def note(self, words: str) -> None:
        """Show a detail of the current stage."""
        ...

    def end(self, stage: str, seconds: float) -> None:
        """Show that a stage succeeded, and how long it took."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that has run, and its duration."""

    name: str
    seconds: float


@dataclass(slots=True)
class Walked:
    """The results of the stages so far."""

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
    """One phone (its app, card, network and modem), and the stages that it goes through."""

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
        """Go through all stages.

        Args:
            offer_id: the offer to order.
            identifier: of the account.
            password: of the account.
            pass_days: moves the server's clock by so many days, to reach the end of an uncapped session.

        Raises:
            KswifiError: a stage failed; the results of those before it are in ``walked``.
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
        """Whether the session has no limit of octets and ends by time only."""
        return self.walked.offer["allowance_octets"] is None

    def register(self, identifier: str, password: str) -> str:
        """Make an account; return its recovery code."""
        with self.stage("register"):
            recovery_code = self.app.register(identifier, password)
            self._teller.note(f"account of {identifier}")
            return recovery_code

    def choose(self, offer_id: str) -> None:
        """List the offers and choose one."""
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
        """Pay at the checkout: the gateway notifies the server, which verifies the payment and begins the pass."""
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
        """Download the package over WiFi, with an interruption if asked for, and verify it on this device."""
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
        """Bring the session onto the card, with its profile or by secured packets, until the card has proved it."""
        with self.stage("store"):
            if self.app.internet_session(self.walked.session_id)["state"] == "downloaded":
                self.app.transfer(self.walked.session_id, self.walked.esim_id)
            self._put_on_card()
            session = self.app.wait_until(self.walked.session_id, ("stored",))
            way = "by a secured packet" if session["storage_proof"] == "por" else "installed by ES9+"
            self._teller.note(f"card {self.card.eid()}: {way}, proof {session['storage_proof']}")

    def leave_wifi(self) -> None:
        """Switch WiFi off. From here on this process can reach the access network only."""
        with self.stage("leave_wifi"):
            self.network.wifi = False
            self.app.leave_wifi()

    def switch_line_on(self) -> None:
        """Attach: network and SIM authenticate each other."""
        with self.stage("line_on"):
            self.network.line = True
            attachment = self.modem.attach(self.card, self.card.imsi())
            self._teller.note(
                f"authenticated by Milenage AKA; {attachment.access} access as {attachment.pdn_address}"
            )

    def browse_until_cut_off(self, octets: int | None = None) -> None:
        """Move data until the network cuts the line, and check that the received octets are those that were sent.

        Args:
            octets: after how many octets the cut is expected; None for the session's allowance.

        Raises:
            RoadError: the session is uncapped, or the line was not cut by the network.
        """
        with self.stage("browse"):
            if self.uncapped:
                raise RoadError("an uncapped session has no cut-off to browse to")
            total = octets or int(self.walked.offer["allowance_octets"])
            if not self._browse(TrafficPlan.until_cut(self.walked.session_id, total), total).cut_off:
                raise RoadError("the flows ended, but not by the network")
            if not self.modem.wait_for_access(*_CUT_OFF_ACCESS, seconds=_CUT_OFF_SECONDS):
                raise RoadError(
                    f"the network has not announced the cut: its last announcement is {self.modem.access}"
                )
            self.walked.network_said = self.modem.access
            self._teller.note(f"the network cut the line: {self.modem.access} ({self.modem.reason})")
        self._check_content()

    def browse_without_limit(self, octets: int = UNCAPPED_OCTETS) -> None:
        """Move ``octets`` octets of an uncapped session.

        Raises:
            RoadError: the network cut the line.
        """
        with self.stage("browse_much"):
            each, posted = octets // _FLOWS, min(4_000_000, octets // 100)
            plan = TrafficPlan(self.walked.session_id, flows=_FLOWS, post_octets=posted, get_octets=each)
            if self._browse(plan, octets).cut_off:
                raise RoadError("the network cut an uncapped session before its end")
        self._check_content()

    def live_until_the_end(self, pass_days: Callable[[int], None]) -> None:
        """Switch the line off, let the session's days pass, and check that the network refuses traffic afterwards.

        Args:
            pass_days: moves the server's clock by so many days.

        Raises:
            RoadError: the network still gives access.
        """
        self._line_off()
        with self.stage("days_pass"):
            days = int(self.walked.offer["valid_days"]) + 1
            pass_days(days)
            self._teller.note(f"the server runs with a clock {days} days later, on the same data")
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
                raise RoadError("the session is over, and the network still carries traffic")

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
                raise RoadError("no octets were moved")
            self.walked.traffic.check()
            self._teller.note(f"the hashes of {len(self.walked.traffic.received)} streams match those sent")

    def return_to_wifi(self) -> None:
        """Switch the line off and WiFi on, and read the session's end and balance."""
        with self.stage("back_to_wifi"):
            self.modem.detach()
            self.network.line = False
            self.network.wifi = True
            end = "expired" if self.uncapped else "exhausted"
            self.walked.final = self.app.wait_until(self.walked.session_id, (end,))
            self.walked.usage = self.app.usage(self.walked.session_id)

    def _put_on_card(self) -> None:
        """Download and enable the profile and deliver the card's result; repeat while the server is unreachable."""
        for attempt in stamina.retry_context(
            on=Es9UnreachableError, attempts=_TRIES, timeout=_TRY_SECONDS, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                waiting = self._download_profile()
                if waiting:
                    raise Es9UnreachableError(f"the card's result is not delivered: {waiting[0]}")

    def _download_profile(self) -> list[str]:
        """Do the steps that earlier attempts have not completed; return the notifications left on the card."""
        package = self.walked.package
        if package is None:
            raise RoadError("no package is on the device")
        if package.manifest.iccid is None:
            raise RoadError("the package is for a data provider's line, which has no card of ours")
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
        """Give the card the packets that the server has for it; return how many it has proved."""
        return self.app.carry_packets(
            self.walked.esim_id, lambda iccid, envelopes: self.card.hand_over(Iccid(iccid), envelopes)
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show a stage and measure its duration."""
        self._teller.begin(name)
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.walked.stages.append(Stage(name, seconds))
        self._teller.end(name, seconds)


def _resumed(downloaded: Downloaded) -> str:
    """Describe how a download went.

    Raises:
        RoadError: it was interrupted and restarted from the beginning: the server or the app cannot resume.
    """
    if downloaded.resumed_at is not None:
        return f"interrupted and resumed at octet {downloaded.resumed_at}"
    if downloaded.broke_off:
        raise RoadError("the interrupted download restarted from its beginning instead of being resumed")
    return f"in {downloaded.tries} tries" if downloaded.tries > 1 else "in one go"
