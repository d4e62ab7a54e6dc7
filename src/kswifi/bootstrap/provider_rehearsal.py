"""The process of the rehearsal's data provider, and the environment of the network that plays the provider's."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from kswifi.bootstrap.process import Ready, configure_logging, stop_event
from kswifi.bootstrap.rehearsal_key import read_rehearsal_key
from kswifi.data_directory.layout import Installation
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.listening import authority
from kswifi.lab.rehearsal.provider_network import ProviderNetwork, offer_id_of
from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.server import FACES, ProviderConfig, serving_provider
from kswifi.settings import Settings
from kswifi.supply.webhooks import secret_path

_GENEROUS_OCTETS: Final = str(10**13)


class NoRehearsalHereError(KswifiError):
    """The rehearsal's provider was asked for where a real one delivers, or outside resold mode."""

    code = "no_rehearsal_here"


async def run_provider_rehearsal(
    settings: Settings, network_origin: str | None, ready: Ready, end_of_input: int | None = None
) -> None:
    """Serve the rehearsal's provider until asked to stop.

    Args:
        settings: of the server in resold mode.
        network_origin: the API of the KSWiFi that plays the provider's network; None invents profiles.
        ready: called once with the address.
        end_of_input: a descriptor whose end means that the parent process is gone.

    Raises:
        NoRehearsalHereError: this server does not rehearse.
        OSError: the port is taken.
    """
    if not settings.rehearses_supply:
        raise NoRehearsalHereError("the rehearsal's provider belongs to resold mode without KSWIFI_DATA_PROVIDERS")
    configure_logging(settings)
    installation = Installation(settings.data_dir)
    name = settings.rehearsal_provider
    vault = SubscriberVault(installation.subscriber_key.read_bytes())
    at = authority(settings.reachable_host, settings.api_port)
    folder = installation.data_dir / "provider"
    folder.mkdir(mode=0o700, exist_ok=True)
    network = None
    if network_origin is not None:
        octets = {bundle.bundle_id: bundle.octets for bundle in FACES[name].book().bundles.values()}
        network = ProviderNetwork(network_origin, octets, folder / f"{name}-lines.json")
    config = ProviderConfig(
        face=name,
        key=read_rehearsal_key(installation),
        webhook_url=f"http://{at}/webhooks/{name}/{secret_path(vault, name)}",
        profiles=None if network is None else network.profile,
        rules=Rules(merges=name == "esim_access", lag=timedelta(seconds=settings.rehearsal_provider_lag_seconds)),
        file=folder / f"{name}.json",
        port=settings.rehearsal_provider_port,
    )
    stop = stop_event(end_of_input)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving_provider(config))
        ready({"provider": running.origin, "url": running.url, "name": name})
        if network is None:
            await stop.wait()
        else:
            stack.callback(network.close)
            await network.run(running.engine, stop)


def network_environment(settings_dir: Path, name: str) -> Mapping[str, str]:
    """Return the settings of the network that plays the provider's, and write its offers: one for each bundle size.

    Args:
        settings_dir: the folder of the network's data.
        name: the provider's name.
    """
    settings_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundles = FACES[name].book().bundles.values()
    days = {bundle.octets: bundle.days for bundle in bundles}
    offers = settings_dir / "offers.toml"
    offers.write_text(
        "".join(
            f'[[offer]]\nid = "{offer_id_of(octets)}"\ntitle = "{octets} octets"\n'
            f"allowance_octets = {octets}\nprice_kobo = 0\nvalid_days = {days[octets]}\n\n"
            for octets in sorted(days)
        ),
        encoding="utf-8",
    )
    generous = (
        "FREE_ALLOWANCE_OCTETS",
        "FREE_UNSPENT_OCTETS",
        "FREE_DEVICE_ALLOWANCE_OCTETS",
        "FREE_CARD_ALLOWANCE_OCTETS",
    )
    return {
        "KSWIFI_MODE": "embedded",
        "KSWIFI_DATA_DIR": str(settings_dir / "var"),
        "KSWIFI_OFFERS_FILE": str(offers),
        "KSWIFI_REGISTRATIONS_PER_HOUR": "100000",
        **{f"KSWIFI_{setting}": _GENEROUS_OCTETS for setting in generous},
    }
