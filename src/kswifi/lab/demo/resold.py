"""The road of one InternetSession that a data provider delivers: as an eSIM profile, or onto the person's line.

The provider's profile comes from an SM-DP+ and its octets flow through an access gateway, both of the network that
plays the provider's. The server under test knows only what the provider's API tells it, late.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import stamina

from kswifi.lab.demo.app import PhoneApp, once_mapped
from kswifi.lab.demo.road import Road, RoadError, Teller
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.es9 import Es9UnreachableError
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network
from kswifi.lab.phone.servers import ProfileServers
from kswifi.lab.phone.traffic import run_traffic
from kswifi.lab.phone.traffic_plan import TrafficPlan
from kswifi.lab.settings import HostPort

_WAIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2
_T = TypeVar("_T")
VENDED_NUMBER: Final = "08031234567"
"""A number of a range that is assigned to a network; in the rehearsal nothing is loaded onto it."""
_LINE_NETWORKS: Final = ("mtn", "airtel", "glo", "9mobile")


@dataclass(slots=True)
class Delivered:
    """What the stages on a provider's line found."""

    service: Mapping[str, Any] = field(default_factory=dict)
    portions: Mapping[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    paused_confirmed: bool | None = None
    delivered_octets: int = 0


class ProviderControl:
    """The control of the rehearsal's provider, which changes what its API cannot."""

    def __init__(self, origin: str) -> None:
        self._client = httpx2.Client(base_url=origin, timeout=20.0, trust_env=False, headers={"X-KSWiFi-Lab": "1"})

    def change_rules(self, **rules: int | bool) -> None:
        """Change how the provider behaves."""
        self._client.post("/control/rules", json=rules).raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class EsimRoad(Road):
    """A session on a profile that a data provider issues."""

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
        super().__init__(app, card, network, modem, servers, content, folder, teller)
        self.delivered = Delivered()

    def walk_line(self, offer_id: str, identifier: str, password: str) -> None:
        """Go through all stages."""
        self.register(identifier, password)
        self.choose(offer_id)
        self.order()
        self.download(break_off=True)
        self.buy_profile()
        self.install()
        self.pause_and_continue()
        self.leave_wifi()
        self.switch_line_on()
        self.browse_bundle()
        self.back_to_wifi()
        self.confirm_cut_off()

    def order(self) -> None:
        """Order the session, once the server has read the provider's catalogue."""
        if not self.walked.session_id:
            offer_id = str(self.walked.offer["id"])
            self.walked.session_id = str(once_mapped(lambda: self.app.order(offer_id))["session_id"])
        super().order()

    def buy_profile(self) -> None:
        """Transfer the session: only now the bundle is bought at the provider."""
        with self.stage("buy_bundle"):
            if self.portions()["portions"]:
                raise RoadError("a bundle was bought before the transfer")
            self.app.transfer(self.walked.session_id, self.walked.esim_id)
            path = f"/api/v1/esims/{self.walked.esim_id}/installation"
            self._installation = _until(lambda: self.app.found(path), "the provider delivered no profile")
            (portion,) = self.portions()["portions"]
            self._teller.note(f"bundle of {portion['bundle_octets']:,} octets, order {portion['reference']}")

    def install(self) -> None:
        """Install the provider's profile from the provider's SM-DP+, until the provider reports it."""
        with self.stage("install"):
            self.install_code(ActivationCode.parse(str(self._installation["activation_code"])))
            session = self.app.wait_until(self.walked.session_id, ("stored",), _WAIT_SECONDS)
            self._teller.note(f"{self._installation['smdp_address']}: proof {session['storage_proof']}")

    def install_code(self, code: ActivationCode) -> None:
        """Install the profile of an activation code, and deliver the card's result.

        Raises:
            Es9UnreachableError: the provider's SM-DP+ did not answer in time.
        """
        for attempt in stamina.retry_context(
            on=Es9UnreachableError, attempts=20, timeout=_WAIT_SECONDS, wait_initial=0.1, wait_max=1.0
        ):
            with attempt:
                waiting = self._servers.download(self.card, code)
                if waiting:
                    raise Es9UnreachableError(f"the card's result is not delivered: {waiting[0]}")

    def pause_and_continue(self) -> None:
        """Pause the line and continue, where the provider can: each confirmed by the provider's own report."""
        with self.stage("pause"):
            if not self.service()["pauses"]:
                self._teller.note("this provider cannot pause a line")
                return
            for to, wanted in (("deactivate", "off"), ("activate", "on")):
                self.app.switch(self.walked.session_id, to)
                self._wait_for_service(wanted)
            self.delivered.paused_confirmed = True
            self._teller.note("suspended and continued by the provider's API, both confirmed")

    def switch_line_on(self) -> None:
        """Attach, and wait for full access: the provider's network follows its switch a moment later."""
        super().switch_line_on()
        if not self.modem.wait_for_access("full", seconds=_WAIT_SECONDS):
            raise RoadError(f"the line is on, and the provider's network gives {self.modem.access} access")

    def browse_bundle(self) -> None:
        """Move data until the provider's network ends the bundle."""
        with self.stage("browse"):
            (portion,) = self.portions()["portions"]
            total = int(portion["bundle_octets"])
            moved = run_traffic(
                self.network.credentials,
                self._content,
                TrafficPlan.until_cut(self.walked.session_id, total),
                lambda done: self._teller.progress(done, total),
            )
            self.walked.traffic = moved
            if not moved.cut_off:
                raise RoadError("the flows ended, but not by the network")
            moved.check()
            self.delivered.delivered_octets = moved.delivered_octets

    def back_to_wifi(self) -> None:
        """Switch the line off and WiFi on; the provider's late counter reaches the ledger."""
        with self.stage("back_to_wifi"):
            self.modem.detach()
            self.network.line = False
            self.network.wifi = True
            self.walked.final = self.app.wait_until(self.walked.session_id, ("exhausted",), _WAIT_SECONDS)
            self.walked.usage = self.app.usage(self.walked.session_id)
            balance = self.walked.usage["balance"]
            self._teller.note(f"as of {self.walked.usage['as_of']}: {balance['used']:,} octets used")

    def confirm_cut_off(self) -> None:
        """Wait until the provider has confirmed that the line carries no data."""
        with self.stage("cut_off"):
            self._wait_for_service("off", "depleted")
            self.delivered.confirmed = True
            self.delivered.portions = self.portions()
            self._teller.note(f"the provider reports {self.delivered.service['observed']}")

    def service(self) -> Mapping[str, Any]:
        """Return the line's service."""
        return self.app.found(f"/api/v1/esims/{self.walked.esim_id}/service") or {}

    def portions(self) -> Mapping[str, Any]:
        """Return the bundles of the session."""
        return self.app.found(f"/api/v1/sessions/{self.walked.session_id}/portions") or {}

    def _wait_for_service(self, *wanted: str) -> None:
        def look() -> Mapping[str, Any] | None:
            found = self.service()
            return found if found["confirmed"] and found["observed"] in wanted else None

        self.delivered.service = _until(look, f"the provider did not confirm {' or '.join(wanted)}")


class VendedRoad:
    """A session that is loaded, portion by portion, onto the line that the person has."""

    def __init__(self, app: PhoneApp, control: ProviderControl, road: EsimRoad, teller: Teller) -> None:
        self.app = app
        self._control = control
        self._road = road
        self._teller = teller

    def walk_line(self, offer_id: str, identifier: str, password: str) -> None:
        """Go through all stages; the stages and results are kept in the road."""
        road = self._road
        road.register(identifier, password)
        road.choose(offer_id)
        self.verify_number()
        road.order()
        road.download(break_off=True)
        self.transfer()
        self.draw_all()
        self.used_up()

    def verify_number(self) -> None:
        """Verify the number of the line, and consent to keep it."""
        with self._road.stage("verify_number"):
            network = self.app.keep_number(VENDED_NUMBER, _LINE_NETWORKS)
            self._teller.note(f"a line of {network}, its number kept encrypted")

    def transfer(self) -> None:
        """Bring the session to the line: nothing is bought yet."""
        road = self._road
        with road.stage("to_line"):
            self.app.transfer(road.walked.session_id, road.walked.esim_id)
            if road.portions()["portions"]:
                raise RoadError("a portion was bought before the person asked for it")

    def draw_all(self) -> None:
        """Send portion after portion; the second purchase stays pending for a while."""
        road, drawn = self._road, 0
        session_id, allowance = road.walked.session_id, int(road.walked.offer["allowance_octets"])
        # A second order of one bundle for one number within 30 seconds is refused; the rehearsal does not wait.
        self._control.change_rules(same_line_seconds=0)
        with road.stage("portions"):
            while drawn < allowance:
                number = len(road.portions()["portions"])
                self._control.change_rules(settles_after_seconds=2 if number == 1 else 0)
                self.app.send_portion(session_id)
                drawn = _until(partial(self._more, drawn), "no portion was delivered")
                self._teller.progress(drawn, allowance)

    def _more(self, before: int) -> int | None:
        drawn = int(self._road.portions()["drawn_octets"])
        return drawn if drawn > before else None

    def used_up(self) -> None:
        """Check that the session counts as used: each portion was booked when it was bought."""
        road = self._road
        with road.stage("used_up"):
            road.walked.final = self.app.wait_until(road.walked.session_id, ("exhausted",), _WAIT_SECONDS)
            road.walked.usage = self.app.usage(road.walked.session_id)
            road.delivered.portions = road.portions()
            road.delivered.delivered_octets = sum(
                int(it["bundle_octets"]) for it in road.delivered.portions["portions"] if it["delivered_at"]
            )
            # A line that the person has is theirs: nothing is switched off, and nothing more is loaded.
            road.delivered.confirmed = True


def _until(look: Callable[[], _T | None], words: str) -> _T:
    """Return the first result of ``look`` that is not None.

    Raises:
        RoadError: there is none in time.
    """
    until = time.monotonic() + _WAIT_SECONDS
    while (found := look()) is None:
        if time.monotonic() > until:
            raise RoadError(words)
        time.sleep(_POLL_SECONDS)
    return found
