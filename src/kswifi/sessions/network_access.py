"""Decide by the client's address whether a request came over an internet session."""

from collections.abc import Iterable

from kswifi.kernel.network_addresses import IpNetwork, parse_address


class CidrNetworkAccess:
    """Accepts downloads from the operator's WiFi networks only; without configured networks, from all addresses.

    ``proxies`` are the trusted reverse proxies. If the address of a request is that of a proxy, its client is
    unknown, even if the proxy is in a WiFi network itself.
    """

    def __init__(self, wifi_networks: Iterable[IpNetwork], proxies: Iterable[IpNetwork] = ()) -> None:
        self._wifi_networks = tuple(wifi_networks)
        self._proxies = tuple(proxies)

    async def is_over_session(self, host: str, port: int) -> bool:  # noqa: ARG002 - the port is the other adapter's
        """Tell whether the address is outside all WiFi networks."""
        if not self._wifi_networks:
            return False
        address = parse_address(host)
        if address is None or any(address in network for network in self._proxies):
            return True
        return not any(address in network for network in self._wifi_networks)

    async def is_wifi(self, host: str, port: int) -> bool | None:
        """Tell whether the address is in a WiFi network; None without configured networks or behind a proxy."""
        address = parse_address(host)
        if not self._wifi_networks or address is None or any(address in network for network in self._proxies):
            return None
        return not await self.is_over_session(host, port)
