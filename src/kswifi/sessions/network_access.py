"""Whether a request came over an internet session, where networks can be told apart by their addresses."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address


class CidrNetworkAccess:
    """WiFi is where the operator says: the networks from which a download is taken; none named means everywhere."""

    def __init__(self, wifi_networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._wifi_networks = tuple(wifi_networks)

    async def is_over_session(self, host: str, port: int) -> bool:  # noqa: ARG002 - the port is the other adapter's
        """Tell whether the address lies outside all WiFi networks."""
        if not self._wifi_networks:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return True
        return not any(address in network for network in self._wifi_networks)
