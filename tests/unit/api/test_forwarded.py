"""The client behind reverse proxies: what a client writes itself never decides."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.api.edge.forwarded import HOPS_LIMIT, Client, ForwardedHeader, ProxyTrust, client_of

X, F = ForwardedHeader.X_FORWARDED_FOR, ForwardedHeader.FORWARDED
PROXY = IPv4Address("10.0.0.1")
OUTER_PROXY = IPv4Address("10.0.0.2")
NETWORKS = (IPv4Network("10.0.0.0/24"), IPv6Network("fd00::/64"))
TRUSTED = {header: ProxyTrust(NETWORKS, header) for header in ForwardedHeader}
UNKNOWN = "10.0.0.1"
"""What an unreadable element leads to: the address of the proxy that wrote it."""

untrusted = st.ip_addresses().filter(lambda it: not any(it in network for network in NETWORKS))
trusted = st.integers(1, 254).map(lambda it: IPv4Address(f"10.0.0.{it}"))
garbage = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
hostile = st.one_of(
    garbage, st.text('for=;," []:.\\127x_', max_size=40), st.just('for="'), st.just('for=1.1.1.1;x="')
)


def found(header: ForwardedHeader, *lines: str, peer: str = str(PROXY), protocols: tuple[str, ...] = ()) -> Client:
    return client_of(ip_address(peer), 4711, lines, protocols, TRUSTED[header])


def node(address: object) -> str:
    return f'"[{address}]"' if ":" in str(address) else str(address)


@pytest.mark.parametrize(
    ("lines", "address", "port"),
    [
        (["203.0.113.7"], "203.0.113.7", 0),
        (["203.0.113.7:5060"], "203.0.113.7", 5060),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7", 0),
        (["203.0.113.7,10.0.0.2"], "203.0.113.7", 0),
        (["198.51.100.1", "203.0.113.7 \t, 10.0.0.2"], "203.0.113.7", 0),
        (["203.0.113.7", "10.0.0.2"], "203.0.113.7", 0),
        (["2001:db8::7"], "2001:db8::7", 0),
        (["[2001:db8::7]"], "2001:db8::7", 0),
        (["[2001:db8::7]:443"], "2001:db8::7", 443),
        (["::ffff:203.0.113.7"], "203.0.113.7", 0),
        (["64:ff9b::203.0.113.7"], "203.0.113.7", 0),
        (["203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7", 0),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3", 0),  # the furthest trusted host is a client itself
    ],
)
def test_x_forwarded_for_is_read_from_its_right_end(lines: list[str], address: str, port: int) -> None:
    client = found(X, *lines)
    assert (str(client.address), client.port) == (address, port)


@pytest.mark.parametrize(
    "element",
    [
        "",
        " ",
        "unknown",
        "_hidden",
        "unix:",
        "203.0.113.7:",
        "203.0.113.7:65536",
        "203.0.113.7:+80",
        "203.0.113.07",
        "203.0.113",
        "3405803783",
        "[2001:db8::7",
        "[2001:db8::7]80",
        "[203.0.113.7]",
        "fe80::1%eth0",
        "[fe80::1%eth0]",
        "\u00a0203.0.113.7",
        "203.0.113.7;203.0.113.8",
        '"203.0.113.7"',
    ],
)
def test_an_element_that_is_no_address_leads_to_the_proxy_that_wrote_it(element: str) -> None:
    assert found(X, element) == Client(PROXY)
    assert found(X, f"198.51.100.1, {element}") == Client(PROXY)
    assert found(X, f"198.51.100.1, {element}, 10.0.0.2") == Client(OUTER_PROXY)
    assert str(found(X, f"{element}, 203.0.113.7").address) == "203.0.113.7"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=203.0.113.7"], ("203.0.113.7", 0, None)),
        (["For=203.0.113.7;Proto=HTTPS;by=10.0.0.1"], ("203.0.113.7", 0, "https")),
        (['for="203.0.113.7:5060";proto=http'], ("203.0.113.7", 5060, "http")),
        (['for="[2001:db8:cafe::17]:4711"'], ("2001:db8:cafe::17", 4711, None)),
        (['for="[2001:db8:cafe::17]"'], ("2001:db8:cafe::17", 0, None)),
        (['for="[2001:db8::1]:_port"'], ("2001:db8::1", 0, None)),
        (["for=198.51.100.1, for=203.0.113.7"], ("203.0.113.7", 0, None)),
        (["for=198.51.100.1", "for=203.0.113.7", "for=10.0.0.2;proto=http"], ("203.0.113.7", 0, "http")),
        (["for=203.0.113.7;proto=https,for=10.0.0.2;proto=http"], ("203.0.113.7", 0, "https")),
        (['for="203.0.113\\.7";host="a,b;for=9.9.9.9"'], ("203.0.113.7", 0, None)),
        (["for=198.51.100.1;", "for=203.0.113.7"], ("203.0.113.7", 0, None)),  # a damaged line further left
        (["for=203.0.113.7;proto=gopher"], ("203.0.113.7", 0, None)),
        # What is not readable:
        (["for=unknown;proto=https"], (UNKNOWN, 0, "https")),
        (["for=_SEVKISEK"], (UNKNOWN, 0, None)),
        (["proto=https"], (UNKNOWN, 0, "https")),
        ([""], (UNKNOWN, 0, None)),
        (["203.0.113.7"], (UNKNOWN, 0, None)),
        (["for=2001:db8::1"], (UNKNOWN, 0, None)),
        (["for=[2001:db8::1]"], (UNKNOWN, 0, None)),
        (['for="2001:db8::1"'], (UNKNOWN, 0, None)),
        (['for="[203.0.113.7]"'], (UNKNOWN, 0, None)),
        (["for=203.0.113.7:80"], (UNKNOWN, 0, None)),
        (["for=203.0.113.7;for=198.51.100.1"], (UNKNOWN, 0, None)),
        (['for="203.0.113.7'], (UNKNOWN, 0, None)),
        (['for="203.0.113.7"x'], (UNKNOWN, 0, None)),
        (["for=203.0.113.7,"], (UNKNOWN, 0, None)),
        (["for=203.0.113.7;;by=x"], (UNKNOWN, 0, None)),
        (['for="", for=203.0.113.7;'], (UNKNOWN, 0, None)),
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(lines: list[str], expected: tuple[str, int, str | None]) -> None:
    client = found(F, *lines)
    assert (str(client.address), client.port, client.scheme) == expected


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        ((), None),
        (("https",), "https"),
        ((" HTTPS",), "https"),
        (("https, http",), None),
        (("https", "http"), None),
    ],
)
def test_the_scheme_of_x_forwarded_proto_counts_when_it_is_stated_once(
    values: tuple[str, ...], scheme: str | None
) -> None:
    assert found(X, "203.0.113.7", protocols=values).scheme == scheme
    assert found(X, protocols=values) == Client(PROXY, 4711, scheme)
    assert found(F, "for=203.0.113.7", protocols=values).scheme is None
    assert found(X, "203.0.113.7", peer="203.0.113.9", protocols=values).scheme is None


@given(untrusted, st.sampled_from(ForwardedHeader), st.lists(hostile, max_size=3))
def test_nobody_but_a_trusted_proxy_is_read(peer: IPv4Address, header: ForwardedHeader, lines: list[str]) -> None:
    client = client_of(peer, 7, [*lines, f"for={PROXY}", "198.51.100.1"], ["https"], TRUSTED[header])
    assert (client.port, client.scheme) == (7, None)
    assert client == client_of(peer, 7, [], [], ProxyTrust())


@given(st.lists(hostile, max_size=3), untrusted, st.lists(trusted, max_size=HOPS_LIMIT - 1), st.booleans())
def test_what_the_client_writes_into_x_forwarded_for_changes_nothing(
    lines: list[str], real: IPv4Address, inner: list[IPv4Address], same_line: bool
) -> None:
    written = ", ".join(map(str, [real, *inner]))
    sent = [*lines[:-1], f"{lines[-1]}, {written}"] if lines and same_line else [*lines, written]
    assert found(X, *sent) == found(X, str(real))
    assert found(X, f"[{real}]:80" if ":" in str(real) else f"{real}:80").port == 80


@given(st.lists(hostile, max_size=3), untrusted, st.lists(trusted, max_size=HOPS_LIMIT - 1))
def test_what_the_client_writes_into_forwarded_changes_nothing_on_a_line_of_its_own(
    lines: list[str], real: IPv4Address, inner: list[IPv4Address]
) -> None:
    written = ", ".join(f"for={node(it)}" for it in [real, *inner])
    assert found(F, *lines, written) == found(F, f"for={node(real)}")


@given(hostile, untrusted, st.sampled_from(["", ";proto=https", ';proto="https";by="_a"']))
def test_on_the_proxys_line_the_client_can_only_hide_itself(text: str, real: IPv4Address, more: str) -> None:
    client = found(F, f"{text}, for={node(real)}{more}")
    assert client.address in (found(F, f"for={node(real)}").address, PROXY)


@given(st.lists(trusted, min_size=HOPS_LIMIT, max_size=HOPS_LIMIT + 10), untrusted)
def test_a_chain_beyond_the_limit_ends_at_a_trusted_proxy(hops: list[IPv4Address], real: IPv4Address) -> None:
    for header, before in ((X, ""), (F, "for=")):
        chain = ", ".join(f"{before}{node(it) if before else it}" for it in [real, *hops])
        assert found(header, chain).address == hops[-HOPS_LIMIT]


@given(st.lists(hostile, max_size=5), st.lists(hostile, max_size=2), st.sampled_from(ForwardedHeader))
def test_no_text_is_an_error(lines: list[str], protocols: list[str], header: ForwardedHeader) -> None:
    client = client_of(PROXY, 1, lines, protocols, TRUSTED[header])
    assert client.scheme in (None, "http", "https")
    assert 0 <= client.port <= 65535


@pytest.mark.parametrize(
    "text", ['for="' + "\\" * 30_000, 'for="' + "a" * 30_000, "for=" + "a" * 30_000 + "(", ";" * 30_000]
)
def test_long_damaged_lines_are_given_up(text: str) -> None:
    assert found(F, text) == Client(PROXY)


def test_an_ipv4_mapped_peer_is_the_trusted_ipv4_proxy() -> None:
    assert str(found(X, "203.0.113.7", peer="::ffff:10.0.0.1").address) == "203.0.113.7"
