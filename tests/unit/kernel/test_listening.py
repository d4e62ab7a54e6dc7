"""Listening sockets for every kind of address: what they bind, which clients reach them, what the lab refuses."""

import socket
from contextlib import closing

import pytest

from kswifi.kernel.listening import (
    NotLoopbackError,
    authority,
    is_loopback,
    listening_socket,
    loopback_socket,
    plain_address,
)


def reaches(port: int, address: str) -> bool:
    try:
        with socket.create_connection((address, port), 2):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", (True, False)),
        ("0.0.0.0", (True, False)),
        ("::1", (False, True)),
        ("::", (True, True)),
        ("::ffff:127.0.0.1", (True, False)),
        ("localhost", (True, False)),
    ],
)
def test_a_listener_is_reached_by_the_families_that_its_address_means(
    host: str, reached: tuple[bool, bool]
) -> None:
    with closing(listening_socket(host, 0)) as listener:
        port = listener.getsockname()[1]
        assert (reaches(port, "127.0.0.1"), reaches(port, "::1")) == reached
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_name_with_ipv6_alone_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo("::1", 0, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with closing(listening_socket("six.example.org", 0)) as listener:
        assert listener.family is socket.AF_INET6


def test_a_name_takes_the_first_address_that_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    found = [*socket.getaddrinfo("::1", 0, type=socket.SOCK_STREAM), elsewhere]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with closing(listening_socket("both.example.org", 0)) as listener:
        assert listener.getsockname()[0] == "::1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_a_port_that_is_taken_is_refused_and_nothing_stays_open(host: str) -> None:
    with closing(listening_socket(host, 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listening_socket(host, port)
    listening_socket(host, port).close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        listening_socket("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_the_lab_listens_on_loopback(host: str) -> None:
    with closing(loopback_socket(host, 0)) as listener:
        assert is_loopback(listener.getsockname()[0])


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.5", "fd00::5", "kswifi.example.org", "::ffff:0.0.0.0"]
)
def test_the_lab_refuses_every_other_address(host: str) -> None:
    with pytest.raises(NotLoopbackError, match="--lan"):
        loopback_socket(host, 0)


def test_a_loopback_name_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo("0.0.0.0", 0, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotLoopbackError, match=r"localhost is 0\.0\.0\.0 here"):
        loopback_socket("localhost", 0)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::ffff:a00:7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("fd00::7", "fd00::7"),
        ("smf.example.org", "smf.example.org"),
    ],
)
def test_addresses_are_compared_in_one_form(text: str, plain: str) -> None:
    assert plain_address(text) == plain


def test_ipv6_is_bracketed_in_urls() -> None:
    assert authority("::1", 80) == "[::1]:80"
    assert authority("127.0.0.1", 80) == "127.0.0.1:80"
    assert authority("localhost", 80) == "localhost:80"
