"""IP addresses in one form: the same host has the same address, whichever notation it arrived in."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

IPV4_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""How an IPv6 socket shows an IPv4 peer (RFC 4291, 2.5.5.2)."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix of addresses that a translator made of IPv4 ones (RFC 6052, 2.1)."""

CUSTOMER_PREFIX_BITS: Final = 64
"""The part of an IPv6 address that one customer cannot choose (RFC 6177: a site gets a /64 or more)."""


def normal_address(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv4-mapped or NAT64 address stands for, and any other as it is.

    The zone of a link-local address is dropped. A NAT64 form of a loopback or unspecified address stays IPv6: no
    translator makes one (RFC 6052, 3.1), and nobody shall pass for this machine by writing it.
    """
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    plain = IPv6Address(int(address))
    if plain in NAT64:
        embedded = IPv4Address(int(plain) & 0xFFFF_FFFF)
        return plain if embedded.is_loopback or embedded.is_unspecified else embedded
    return plain


def parse_address(text: str) -> IpAddress | None:
    """Return the normal form of an address written as text; None if it is none."""
    try:
        return normal_address(ip_address(text))
    except ValueError:
        return None


def normal_network(network: IpNetwork) -> IpNetwork:
    """Return the IPv4 network that a network of IPv4-mapped or NAT64 addresses stands for, others as they are.

    Addresses are compared in their normal form, so a network in another form would contain none of them.
    """
    if isinstance(network, IPv6Network) and (network.subnet_of(IPV4_MAPPED) or network.subnet_of(NAT64)):
        embedded = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((embedded, network.prefixlen - 96))
    return network


def contains(outer: IpNetwork, inner: IpNetwork) -> bool:
    """Tell whether every address of a network belongs to another one."""
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def customer_network(address: IpAddress) -> IpNetwork:
    """Return the network that one customer has: the IPv4 address alone, or the /64 of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return IPv4Network(address)
    if address in NAT64:  # an address per customer, as in IPv4
        return IPv6Network(address)
    return IPv6Network((address, CUSTOMER_PREFIX_BITS), strict=False)


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
    """Return the network that ``customer_network`` wrote as text; None if it is none."""
    try:
        return ip_network(text)
    except ValueError:
        return None
