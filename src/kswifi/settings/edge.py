"""The settings of clients: reverse proxies, networks of WiFi venues, and networks that may read the metrics."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode

from kswifi.accounts.rates import Venues
from kswifi.api.edge.forwarded import ForwardedHeader
from kswifi.kernel.network_addresses import contains, normal_network


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


IpNetworks = Annotated[
    tuple[Annotated[IPv4Network | IPv6Network, AfterValidator(normal_network)], ...],
    NoDecode,
    BeforeValidator(_split),
]
"""Networks (CIDR) separated by commas; those of IPv4-mapped and NAT64 addresses are taken as IPv4 ones."""


class EdgeSettings(BaseSettings):
    """Settings of the HTTP edge; all other settings are in ``kswifi.settings``."""

    trusted_proxies: Annotated[
        IpNetworks,
        Field(max_length=100, description="Networks (CIDR) of reverse proxies that may name their clients."),
    ] = ()
    forwarded_header: Annotated[
        ForwardedHeader,
        Field(description="The header field in which these proxies name them; the other one is ignored."),
    ] = ForwardedHeader.X_FORWARDED_FOR
    wifi_networks: Annotated[
        IpNetworks,
        Field(
            max_length=500,
            description="own-core: networks (CIDR) from which a download counts as being on WiFi; empty: all.",
        ),
    ] = ()
    venue_rate_factor: Annotated[
        int,
        Field(
            ge=1,
            le=1_000,
            description="Limits per address are so many times higher in wifi_networks, where guests share one.",
        ),
    ] = 20
    metrics_port: Annotated[
        int, Field(ge=0, le=65535, description="/metrics, /healthz and /readyz for monitoring.")
    ] = 9464
    metrics_networks: Annotated[
        IpNetworks,
        Field(max_length=100, description="Networks (CIDR) that may read /metrics besides this machine."),
    ] = ()

    @property
    def venues(self) -> Venues:
        """The networks of WiFi venues, in which many people share an address."""
        return Venues(self.wifi_networks, self.venue_rate_factor)

    @model_validator(mode="after")
    def _proxies_are_no_clients(self) -> Self:
        for proxies in self.trusted_proxies:
            if proxies.prefixlen == 0:
                raise ValueError(f"trusted_proxies: {proxies} lets every client name any address as its own")
            for wifi in self.wifi_networks:
                if contains(proxies, wifi):
                    raise ValueError(
                        f"trusted_proxies: {proxies} contains {wifi} of wifi_networks, whose phones could name any "
                        "address as their own: list the proxies' addresses alone"
                    )
        return self
