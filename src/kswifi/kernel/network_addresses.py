"""IP addresses in one normal form, so that one host always has one address, whatever notation it arrived in."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

IPV4_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""The addresses by which an IPv6 socket reports IPv4 peers (RFC 4291, 2.5.5.2)."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix by which a NAT64 translator writes IPv4 addresses in IPv6 (RFC 6052, 2.1)."""

CUSTOMER_PREFIX_BITS: Final = 64
"""Length of the prefix that identifies one IPv6 customer, who can choose all bits after it (RFC 6177)."""


def carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv4-mapped or NAT64 address carries; None if it is neither."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    number = int(address)  # without the zone, with which an address is in no network
    return IPv4Address(number & 0xFFFF_FFFF) if IPv6Address(number) in NAT64 else None


def normal_address(address: IpAddress) -> IpAddress:
    """Return the normal form: the IPv4 address of an IPv4-mapped or NAT64 address, any other unchanged.

    The zone of a link-local address is dropped. A NAT64 form of a loopback or unspecified address stays IPv6: no
    translator makes one (RFC 6052, 3.1), so a client that writes it must not pass for this machine.
    """
    if isinstance(address, IPv4Address):
        return address
    plain = IPv6Address(int(address))
    carried = carried_ipv4(plain)
    if carried is None or (plain in NAT64 and (carried.is_loopback or carried.is_unspecified)):
        return plain
    return carried


def parse_address(text: str) -> IpAddress | None:
    """Return the normal form of an address given as text; None if the text is not an address."""
    try:
        return normal_address(ip_address(text))
    except ValueError:
        return None


def normal_network(network: IpNetwork) -> IpNetwork:
    """Return the IPv4 network of a network of IPv4-mapped or NAT64 addresses, any other unchanged.

    Addresses are compared in their normal form, and a network in another form would contain none of them.
    """
    if isinstance(network, IPv6Network) and (network.subnet_of(IPV4_MAPPED) or network.subnet_of(NAT64)):
        embedded = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((embedded, network.prefixlen - 96))
    return network


def contains(outer: IpNetwork, inner: IpNetwork) -> bool:
    """Tell whether ``outer`` contains every address of ``inner``."""
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def customer_network(address: IpAddress) -> IpNetwork:
    """Return the network of the customer who has an address: the IPv4 address itself, or the /64 of an IPv6 one."""
    if isinstance(address, IPv4Address):
        return IPv4Network(address)
    if address in NAT64:  # each customer has one address, as in IPv4
        return IPv6Network(address)
    return IPv6Network((address, CUSTOMER_PREFIX_BITS), strict=False)


def customer_key(address: IpAddress) -> str:
    """Return the key under which a customer is counted: the one address, or the network of an IPv6 customer."""
    network = customer_network(address)
    return str(address) if network.num_addresses == 1 else str(network)


def network_label(text: str) -> str | None:
    """Return a label of the provider's network that an address, or ``customer_network`` as text, belongs to.

    It is the /16 of an IPv4 address or the /32 of an IPv6 address: enough for an owner to know a place again, and
    shared by thousands of customers. None if the text is neither.
    """
    network = parse_customer_network(text)
    if network is None:
        return None
    if network.is_private or network.is_loopback:
        return "local network"
    return str(network.supernet(new_prefix=16 if network.version == 4 else 32))


def parse_customer_network(text: str) -> IpNetwork | None:
    """Parse the text form of a ``customer_network``; None if the text is not a network."""
    try:
        return ip_network(text)
    except ValueError:
        return None
