"""The configuration of the lab process, and the addresses that it reports."""

from dataclasses import dataclass, field
from pathlib import Path

from kswifi.lab.rehearsal.payments.server import GatewayConfig

HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig:
    """Addresses, identities and limits of the lab. A port of 0 takes a free one, which the ready callback reports.

    Args:
        data_dir: the lab's own folder; ``gateway/`` (counts) and ``phone/`` (switches, card) are made in it.
        diameter: where the server's Diameter node listens.
        origins: names or addresses of KSWiFi itself, the only destinations of control-only access.
        allowed: further loopback or private destinations of the user plane; the content server is always allowed.
        web_origins: origins of pages (``http://localhost:8080``) that may control the lab's phone.
        smdp: where the SM-DP+ listens. The phone connects there whatever address an activation code names.
        pki_dir: the certificates with which the lab's card is made and servers are verified; with None the card
            trusts no server and cannot download profiles.
        payments: the sandbox payment gateway to serve; None if a real gateway is used.
        host: the loopback address of all the lab's listeners.
        attach_port: of the attach wire.
        proxy_port: of the user plane.
        content_port: of the content server.
        control_port: of the control server.
        origin_host: the gateway's Diameter identity.
        realm: its Diameter realm.
        watchdog_seconds: silence of the Diameter server after which the gateway sends a watchdog request.
        answer_seconds: how long an attach waits for the Diameter server.
        control_only_octets_per_second: the rate of control-only access.
        control_only_retry_seconds: when to ask for credit again if the charging server sends no Validity-Time.
        tunnel_idle_seconds: how long a CONNECT tunnel may be idle before it is ended.
        request_idle_seconds: the same for a plain request; its origin must answer within this time.
        tx_seconds: after how long an unanswered request to the charging server is repeated (Tx; RFC 8506, 13).
        most_flows_of_a_bearer: connections of one bearer.
        most_bearers: attached phones.
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
    """Where the parts of a running lab listen; ``sandbox`` is the payment gateway's origin, if there is one."""

    attach: HostPort
    proxy: HostPort
    content: HostPort
    control: HostPort = field(default=("127.0.0.1", 0))
    sandbox: str | None = None
