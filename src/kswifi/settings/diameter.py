"""The settings of Diameter peers: names, networks, TLS, and the applications that each peer may use."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from kswifi.kernel.listening import is_loopback
from kswifi.settings.listen import ListenSettings

ANY_PEER: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")

Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, Field(max_length=100)]
PeerNames = Annotated[tuple[str, ...], NoDecode, Field(max_length=1000)]


class DiameterSettings(ListenSettings):
    """Settings of the Diameter node's peers; all other settings are in ``kswifi.settings``."""

    diameter_peers: Annotated[
        PeerNames,
        Field(
            description="own-core: who may connect, as name@network (smf.example.org@10.0.0.0/24). A name alone, "
            "or * for any name, connects from this machine and from diameter_trusted_networks."
        ),
    ] = ()
    diameter_trusted_networks: Annotated[
        Networks,
        Field(description="own-core: networks (CIDR) of which any machine may take any name that is listed alone."),
    ] = ()
    diameter_vector_peers: Annotated[
        PeerNames,
        Field(
            description="own-core: Origin-Hosts that may ask for authentication vectors (S6a); nobody if not set."
        ),
    ] = ()
    diameter_agents: Annotated[
        PeerNames,
        Field(description="own-core: Origin-Hosts of routing agents, which forward requests of other origins."),
    ] = ()
    diameter_tls_certificate: Annotated[
        Path | None, Field(description="Our certificate for Diameter over TLS, with its chain (PEM).")
    ] = None
    diameter_tls_key: Annotated[Path | None, Field(description="That certificate's key (PEM).")] = None
    diameter_tls_ca: Annotated[
        Path | None, Field(description="The authorities of the peers' certificates (PEM).")
    ] = None

    @field_validator(
        "diameter_peers", "diameter_trusted_networks", "diameter_vector_peers", "diameter_agents", mode="before"
    )
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("diameter_peers")
    @classmethod
    def _peers_by_name_and_network(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            _peer(entry)
        return entries

    @field_validator("diameter_tls_certificate", "diameter_tls_key", "diameter_tls_ca")
    @classmethod
    def _file_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @property
    def diameter_networks(self) -> Mapping[str, tuple[Network, ...]]:
        """The networks of each peer that is listed with networks, by its name in lower case."""
        networks: dict[str, tuple[Network, ...]] = {}
        for name, network in map(_peer, self.diameter_peers):
            if network is not None:
                networks[name] = (*networks.get(name, ()), network)
        return networks

    @property
    def diameter_names_alone(self) -> frozenset[str]:
        """The peers that are listed without a network, in lower case; ``*`` means any peer."""
        return frozenset(name for name, network in map(_peer, self.diameter_peers) if network is None)

    @property
    def diameter_peers_elsewhere(self) -> bool:
        """True if a peer on another machine may connect."""
        return bool(self.diameter_names_alone and self.diameter_trusted_networks) or any(
            not network.is_loopback for networks in self.diameter_networks.values() for network in networks
        )

    @model_validator(mode="after")
    def _diameter_said_outright(self) -> Self:
        if self.mode == "embedded":
            return self
        if self.diameter_peers and self.diameter_host is None and not is_loopback(self.host):
            raise ValueError(
                "diameter_host is needed too: diameter_peers are set, and Diameter does not follow host. Write the "
                "address that your cores connect to, or 127.0.0.1 if they run on this machine"
            )
        outside = [
            it for it in (self.diameter_bind, self.diameter_tls_host) if it is not None and not is_loopback(it)
        ]
        if outside and not self.diameter_peers:
            raise ValueError(
                f"diameter_peers names the cores that may connect: needed where others reach {outside[0]}"
            )
        if outside and not self.diameter_peers_elsewhere:
            raise ValueError(
                f"diameter_peers: Diameter listens on {outside[0]}, and no peer may connect from another machine: "
                "write name@network (smf.example.org@10.0.0.0/24), or set diameter_trusted_networks"
            )
        return self

    @model_validator(mode="after")
    def _whole_diameter_tls(self) -> Self:
        files = {name: getattr(self, f"diameter_tls_{name}") for name in ("certificate", "key", "ca")}
        if self.diameter_tls_host is None and any(files.values()):
            raise ValueError("diameter_tls_host is needed too: the address where Diameter listens over TLS")
        for name, path in files.items():
            if self.diameter_tls_host is not None and path is None:
                raise ValueError(f"diameter_tls_{name} is needed too, for diameter_tls_host")
        return self


def _peer(entry: str) -> tuple[str, Network | None]:
    """Parse ``name`` or ``name@network``; a single address is a network of one address."""
    name, at, written = entry.partition("@")
    if name == ANY_PEER and at:
        raise ValueError(f"{entry!r}: write * alone, and its networks into diameter_trusted_networks")
    if name != ANY_PEER and not _NAME.fullmatch(name):
        raise ValueError(f"{entry!r} is not name@network, such as smf.example.org@10.0.0.0/24")
    if not at:
        return name.lower(), None
    try:
        return name.lower(), ip_network(written)
    except ValueError as error:
        raise ValueError(f"{entry!r}: {error}") from None
