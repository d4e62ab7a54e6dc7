"""What the lab process has to be told."""

from dataclasses import dataclass, field
from pathlib import Path

from kswifi.lab.rehearsal.payments.server import GatewayConfig

HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig:
    """Addresses, identities and limits of the lab. A port of 0 takes a free one; the ready callback tells which.

    Args:
        data_dir: the lab's own folder; ``gateway/`` (counts) and ``phone/`` (switches, card) are made in it.
        diameter: where the server's Diameter node listens.
        origins: where KSWiFi itself answers (names or addresses): all that control-only access reaches.
        allowed: further loopback or private destinations of the user plane; the content server is always one.
        web_origins: origins of pages (``http://localhost:8080``) that may drive the lab's phone.
        smdp: where the SM-DP+ listens, whatever it is called in activation codes.
        pki_dir: the folder of certificates by which the lab's card is made and servers are known; None makes a card
            that no server can fill.
        payments: the sandbox gateway to serve beside; None once a real gateway takes the payments.
        tunnel_idle_seconds: for how long nothing may move in a CONNECT tunnel before it is ended.
        request_idle_seconds: the same for a plain request, which its origin has to answer in that time.
        tx_seconds: after how long a request that the charging server has not answered is repeated (RFC 8506, 13).
        plmn: the serving network id, three octets as TS 24.301 sends it; 99 F9 07 is MCC 999, MNC 70.
    """

    data_dir: Path
    diameter: HostPort = ("127.0.0.1", 3868)
    smdp: HostPort = ("127.0.0.1", 8443)
    pki_dir: Path | None = None
    origins: tuple[HostPort, ...] = (("127.0.0.1", 8080), ("localhost", 8080))
    allowed: tuple[HostPort, ...] = ()
    web_origins: tuple[str, ...] = ("http://localhost:8080", "http://127.0.0.1:8080")
    payments: GatewayConfig | None = None
    host: str = "127.0.0.1"
    attach_port: int = 36412
    proxy_port: int = 3128
    content_port: int = 8082
    control_port: int = 8081
    origin_host: str = "gateway.kswifi"
    realm: str = "kswifi"
    plmn: bytes = b"\x99\xf9\x07"
    watchdog_seconds: float = 6.0
    answer_seconds: float = 10.0
    control_only_octets_per_second: int = 32_000
    control_only_retry_seconds: int = 30
    tunnel_idle_seconds: float = 1800.0
    request_idle_seconds: float = 300.0
    tx_seconds: float = 10.0
    most_flows_of_a_bearer: int = 256
    most_bearers: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LabAddresses:
    """Where the parts of a running lab answer."""

    attach: HostPort
    proxy: HostPort
    content: HostPort
    control: HostPort = field(default=("127.0.0.1", 0))
    sandbox: str | None = None
