"""Whether a request came over an internet session, where networks can be told apart by their addresses."""

from collections.abc import Iterable

from kswifi.kernel.network_addresses import IpNetwork, parse_address


class CidrNetworkAccess:
    """WiFi is where the operator says: the networks from which a download is taken; none named means everywhere.

    ``proxies`` are the trusted reverse proxies. A request that comes from one of their addresses has a client that
    is not known, even if the proxy stands in a WiFi network itself.
    """

    def __init__(self, wifi_networks: Iterable[IpNetwork], proxies: Iterable[IpNetwork] = ()) -> None:
        self._wifi_networks = tuple(wifi_networks)
        self._proxies = tuple(proxies)

    async def is_over_session(self, host: str, port: int) -> bool:  # noqa: ARG002 - the port is the other adapter's
        """Tell whether the address lies outside all WiFi networks."""
        if not self._wifi_networks:
            return False
        address = parse_address(host)
        if address is None or any(address in network for network in self._proxies):
            return True
        return not any(address in network for network in self._wifi_networks)
