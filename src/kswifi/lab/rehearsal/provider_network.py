"""The network of a rehearsal provider: another KSWiFi, whose SM-DP+ and gateway play the provider's.

For each profile that the provider sells, an account and a session of the bundle's size are made there. The profile
comes from that SM-DP+, its gateway counts the octets and cuts at the last one. A loop carries installation and
usage into the provider's engine, and the provider's suspensions into the network.
"""

import asyncio
import hashlib
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog

from kswifi.kernel.clock import SystemClock
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.files import write_owner_only
from kswifi.lab.demo.app import PhoneApp
from kswifi.lab.rehearsal.providers.engine import Engine
from kswifi.lab.rehearsal.providers.model import LabLine, Profile, ProviderRefusedError
from kswifi.session_package import verify_package

_log = structlog.get_logger(__name__)

_ORDERED_SECONDS: Final = 20.0
_INSTALLED: Final = ("stored", "active", "paused", "exhausted")


def offer_id_of(octets: int) -> str:
    """Return the id of the network's offer of this size."""
    return f"bundle-{octets}"


class _Kept(msgspec.Struct):
    identifier: str
    password: str
    session_id: str


@dataclass(slots=True)
class _Subscription:
    app: PhoneApp
    session_id: str
    is_off: bool | None = None


class ProviderNetwork:
    """Makes profiles, and carries usage and suspensions between the network and the provider's engine.

    Args:
        origin: of the network's API.
        octets: the size of each bundle by its id.
        file: where the accounts at the network are kept, so that a restart finds them.
        pause_seconds: between two looks at the network.
    """

    def __init__(self, origin: str, octets: Mapping[str, int], file: Path, pause_seconds: float = 0.3) -> None:
        self._origin = origin
        self._octets = octets
        self._file = file
        self._pause_seconds = pause_seconds
        self._kept: dict[str, _Kept] = {}
        if file.exists():
            self._kept = msgspec.json.decode(file.read_bytes(), type=dict[str, _Kept])
        self._by_iccid: dict[str, _Subscription] = {}

    async def profile(self, bundle_id: str) -> Profile:
        """Order a profile with a session of the bundle's size at the network.

        Raises:
            ProviderRefusedError: the network has none.
        """
        try:
            return await asyncio.to_thread(self._order, bundle_id)
        except KswifiError as error:
            raise ProviderRefusedError("sold_out", f"the network has no profile: {error.message}") from error

    async def run(self, engine: Engine, stop: asyncio.Event) -> None:
        """Carry usage and suspensions until ``stop``."""
        while not stop.is_set():
            for line in list(engine.book.lines.values()):
                try:
                    await self._carry(engine, line)
                except (KswifiError, OSError) as error:
                    _log.warning("network_not_reached", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause_seconds)

    def close(self) -> None:
        """Close the connections to the network."""
        for found in self._by_iccid.values():
            found.app.close()

    async def _carry(self, engine: Engine, line: LabLine) -> None:
        found = None if line.profile is None else await asyncio.to_thread(self._find, line.profile.iccid)
        if found is None:
            return
        session = await asyncio.to_thread(found.app.internet_session, found.session_id)
        if session["state"] in _INSTALLED:
            engine.install(line)
        used, known = int(session["balance"]["used"]), sum(it.used for it in line.assignments)
        if used > known:
            engine.attach(line)
            # The network has counted these octets already, whatever the provider has decided since.
            suspended, line.suspended = line.suspended, False
            engine.use(line, used - known)
            line.suspended = suspended
        if line.suspended is not found.is_off and session["state"] in ("stored", "active", "paused"):
            await asyncio.to_thread(
                found.app.switch, found.session_id, "deactivate" if line.suspended else "activate"
            )
            found.is_off = line.suspended

    def _find(self, iccid: str) -> _Subscription | None:
        """Return the subscription of a profile, signed in again after a restart; None for an unknown profile."""
        kept = self._kept.get(iccid)
        if iccid not in self._by_iccid and kept is not None:
            app = PhoneApp(self._origin)
            app.register(kept.identifier, kept.password)
            self._by_iccid[iccid] = _Subscription(app, kept.session_id)
        return self._by_iccid.get(iccid)

    def _order(self, bundle_id: str) -> Profile:
        app = PhoneApp(self._origin)
        identity = f"line-{secrets.token_hex(8)}@provider.example", secrets.token_urlsafe(16)
        app.register(*identity)
        session = app.order(offer_id_of(self._octets[bundle_id]))
        session_id = str(session["session_id"])
        session = app.wait_until(session_id, ("packaged", "downloading"), _ORDERED_SECONDS)
        with tempfile.TemporaryDirectory(prefix="kswifi-provider-") as folder:
            target = Path(folder) / "package"
            app.download(session_id, target, lambda _done, _total: None)
            octets = target.read_bytes()
        package = verify_package(octets, app.keys(), None, SystemClock().now())
        app.downloaded(session_id, hashlib.sha256(octets).hexdigest())
        esim_id = str(session["esim_id"])
        app.transfer(session_id, esim_id)
        app.wait_for_profile(esim_id, _ORDERED_SECONDS)
        iccid = str(package.manifest.iccid)
        self._by_iccid[iccid] = _Subscription(app, session_id)
        self._kept[iccid] = _Kept(*identity, session_id)
        write_owner_only(self._file, msgspec.json.encode(self._kept))
        return Profile(
            iccid, str(package.activation["activation_code"]), apn=str(package.activation["manual_setup"]["apn"])
        )
