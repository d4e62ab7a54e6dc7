"""Which destinations the user plane may reach."""

import pytest

from kswifi.lab.gateway.destinations import Destinations, is_public
from kswifi.lab.gateway.errors import ProxyRefusedError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "2001:db8::1",
    ],
)  # fmt: skip
def test_private_addresses_are_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


async def test_private_destinations_are_reached_only_if_configured() -> None:
    destinations = Destinations([("127.0.0.1", 8082)], [("127.0.0.1", 8080)])
    assert not (await destinations.resolve("127.0.0.1", 8082)).is_origin
    assert (await destinations.resolve("127.0.0.1", 8080)).is_origin
    assert (await destinations.resolve("localhost", 8080)).addresses[0][1] == ("127.0.0.1", 8080)
    for port in (22, 3128, 3868, 8081):
        with pytest.raises(ProxyRefusedError, match="private") as refused:
            await destinations.resolve("localhost", port)
        assert refused.value.status == 403


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "017700000001"])
async def test_other_spellings_of_loopback_are_refused_too(host: str) -> None:
    with pytest.raises(ProxyRefusedError):
        await Destinations([], []).resolve(host, 80)


async def test_a_name_without_an_address_is_a_bad_gateway() -> None:
    for host in ("no-such-name.invalid", "a" * 70 + ".example", "..", "xn--\udcff"):
        with pytest.raises(ProxyRefusedError) as refused:
            await Destinations([], []).resolve(host, 80)
        assert refused.value.status == 502
