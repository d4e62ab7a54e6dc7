"""The lab process, configured with the addresses of the server that runs next to it."""

from urllib.parse import urlsplit

from kswifi.bootstrap.parts.payments import read_sandbox_key
from kswifi.bootstrap.process import LAB_GATEWAY, Ready, configure_logging, stop_event
from kswifi.data_directory.layout import Installation, installation_of
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.files import OWNER_ONLY_DIRECTORY
from kswifi.kernel.listening import authority
from kswifi.lab.process import run_lab as run_lab_process
from kswifi.lab.rehearsal.payments.server import GatewayConfig
from kswifi.lab.settings import LabAddresses, LabConfig
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.settings import Settings


class NoLabHereError(KswifiError):
    """The lab was asked for outside embedded mode."""

    code = "no_lab_here"


async def run_lab(settings: Settings, ready: Ready, end_of_input: int | None = None) -> None:
    """Run the lab process until it is asked to stop.

    Raises:
        NoLabHereError: the mode is not embedded: anyone who reaches the lab's phone can spend its sessions.
        KswifiError, OSError: as ``run_lab`` of the lab itself.
    """
    if settings.mode != "embedded":
        raise NoLabHereError(
            f"the lab belongs to embedded mode and KSWIFI_MODE is {settings.mode}: `kswifi serve` runs "
            "the server alone",
            mode=settings.mode,
        )
    configure_logging(settings)
    raise_descriptor_limit()

    def say(addresses: LabAddresses) -> None:
        ready(
            {
                "attach": authority(*addresses.attach),
                "proxy": authority(*addresses.proxy),
                "content": f"http://{authority(*addresses.content)}",
                "control": f"http://{authority(*addresses.control)}",
                **({} if addresses.sandbox is None else {"sandbox": addresses.sandbox}),
            }
        )

    await run_lab_process(lab_config(settings), say, stop_event(end_of_input))


def lab_config(settings: Settings) -> LabConfig:
    """Return the lab's configuration, which names the server that runs next to it."""
    host = settings.reachable_host
    origin = urlsplit(settings.origin)
    names = dict.fromkeys((host, origin.hostname or host, "localhost"))
    over_tls = () if settings.lan_address is None else ((settings.lan_address, settings.lan_port),)
    here = (f"http://{authority(name, settings.api_port)}" for name in (host, "localhost"))
    installation = installation_of(settings)
    return LabConfig(
        data_dir=installation.lab_dir,
        diameter=(settings.diameter_bind, settings.diameter_port),
        smdp=(settings.rsp_bind, settings.rsp_port),
        pki_dir=installation.pki_dir,
        origins=(*((name, settings.api_port) for name in names), *over_tls),
        web_origins=tuple(dict.fromkeys((settings.origin, *here))),
        payments=sandbox_config(settings, installation),
        host=settings.host,
        attach_port=settings.attach_port,
        proxy_port=settings.proxy_port,
        content_port=settings.content_port,
        control_port=settings.lab_port,
        origin_host=LAB_GATEWAY,
        realm=settings.diameter_realm,
    )


def sandbox_config(settings: Settings, installation: Installation) -> GatewayConfig | None:
    """Return the sandbox gateway that runs in the lab process; None once a real gateway is configured."""
    if settings.payment_gateway_name != "sandbox":
        return None
    secret = read_sandbox_key(installation)
    installation.lab_dir.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    return GatewayConfig(
        face="sandbox",
        secret=secret,
        webhook_url=f"http://{authority(settings.reachable_host, settings.api_port)}/webhooks/sandbox",
        file=installation.lab_dir / "sandbox-gateway.db",
        host=settings.lan_address or settings.host,
        shown_host=settings.lan_address or settings.host,
        for_phones=settings.lan_address is not None,
        port=settings.sandbox_port,
    )
