"""Normal forms of IP addresses and networks, and the network of one customer."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.kernel.network_addresses import (
    contains,
    customer_network,
    normal_address,
    normal_network,
    parse_address,
    parse_customer_network,
)

ipv4 = st.ip_addresses(v=4)


@given(ipv4)
def test_every_form_of_an_ipv4_address_is_one_address(address: IPv4Address) -> None:
    mapped, nat64 = IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")
    assert normal_address(mapped) == normal_address(address) == address
    if not (address.is_loopback or address.is_unspecified):
        assert normal_address(nat64) == address
    assert str(customer_network(normal_address(mapped))) == f"{address}/32"


@pytest.mark.parametrize("text", ["64:ff9b::127.0.0.1", "64:ff9b::", "64:ff9b::7f12:3456"])
def test_no_nat64_form_passes_for_this_machine(text: str) -> None:
    address = normal_address(ip_address(text))
    assert address == IPv6Address(text)
    assert customer_network(address).prefixlen == 128


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_one_ipv6_customer_is_one_network(address: IPv6Address, interface: int) -> None:
    neighbour = IPv6Address(int(address) >> 64 << 64 | interface)
    mine, theirs = customer_network(normal_address(address)), customer_network(normal_address(neighbour))
    if mine.prefixlen == 64 and theirs.prefixlen == 64:
        assert mine == theirs
    assert parse_customer_network(str(mine)) == mine


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::c000:207"),  # a local prefix (RFC 8215): its layout is not known
        ("localhost", None),
        ("", None),
    ],
)
def test_text_becomes_the_normal_form(text: str, expected: str | None) -> None:
    address = parse_address(text)
    assert (None if address is None else str(address)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("64:ff9b::192.0.2.7/128", "192.0.2.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_networks_have_the_form_of_the_addresses_they_are_compared_with(text: str, expected: str) -> None:
    assert str(normal_network(ip_network(text))) == expected


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("10.0.0.0/8", "10.1.0.0/16", True),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("10.1.0.0/16", "10.0.0.0/8", False),
        ("10.0.0.0/16", "10.0.0.0/8", False),
        ("::/0", "10.0.0.0/8", False),
    ],
)
def test_a_network_contains_itself_and_its_subnets_only(outer: str, inner: str, expected: bool) -> None:
    assert contains(ip_network(outer), ip_network(inner)) is expected
