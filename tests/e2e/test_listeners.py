"""Every listener at every kind of address: reached where its setting says, and at no other address."""

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest

from kswifi.cli.main import _say_what_is_open
from kswifi.lab.ports import free_ports
from tests.support.long_runs import cases
from tests.support.system import ForkedChild, running_system


def reaches(port: int, address: str) -> bool:
    try:
        with socket.create_connection((address, port), 2):
            return True
    except OSError:
        return False


ONLY: Final = {"127.0.0.1": "AF_INET6", "::1": "AF_INET"}
"""The address family that a machine with only this kind of address does not have."""


@cases("host", ["127.0.0.1", "::1", "localhost"], always=["::1"])
def test_a_session_is_spent_on_every_kind_of_loopback(tmp_path: Path, host: str) -> None:
    """On a machine with IPv4 alone, with IPv6 alone, and with both."""
    alter = {name: ("without_family", ONLY[host]) for name in ("server", "lab") if host in ONLY}
    settings = {f"{name}_host": host for name in ("metrics", "console") if host in ONLY}
    running = running_system(tmp_path, alter=alter, host=host, **settings)
    with running as system, system.stored("day-1mb") as road:
        lab = system.children["lab"].ready
        assert httpx2.get(f"{lab['content']}/", trust_env=False).status_code == 200
        phone = httpx2.get(f"{lab['control']}/phone", headers={"X-KSWiFi-Lab": "1"}, trust_env=False)
        assert phone.status_code == 200
        assert httpx2.get(f"{lab['sandbox']}/v1/health", trust_env=False).status_code < 500
        assert urlsplit(system.origin).hostname in {"localhost", host}
        road.leave_wifi()
        road.switch_line_on()
        road.browse_until_cut_off()


KINDS = {"127.0.0.1": (True, False), "::1": (False, True), "0.0.0.0": (True, False), "::": (True, True)}
"""Whether IPv4's and IPv6's loopback reach a port at an address."""


@cases("shift", range(len(KINDS)), always=[1])
def test_each_port_of_a_server_for_a_core_has_its_own_address(tmp_path: Path, shift: int) -> None:
    """Every listener meets every kind of address: each start gives them to the ports in another order."""
    ports = free_ports(("api", "diameter", "rsp", "es2"))
    hosts = dict(zip(ports, [*KINDS][shift:] + [*KINDS][:shift], strict=True))
    expected = {name: KINDS[host] for name, host in hosts.items()}
    assert reached_ports(tmp_path, ports, **{f"{name}_host": host for name, host in hosts.items()}) == expected


def test_ports_without_a_setting_follow_host_and_diameter_stays_on_loopback(tmp_path: Path) -> None:
    ports = free_ports(("api", "diameter", "rsp", "es2"))
    expected = {"api": (True, True), "rsp": (True, True), "es2": (True, True), "diameter": (False, True)}
    assert reached_ports(tmp_path, ports, host="::", diameter_peers="") == expected


def reached_ports(folder: Path, ports: dict[str, int], **settings: str) -> dict[str, tuple[bool, bool]]:
    """Start a server for a core; return for each port whether loopback of IPv4 and of IPv6 reach it."""
    environment = {
        "data_dir": str(folder / "var"),
        "mode": "own-core",
        "identifier_proof": "false",
        "public_origin": "https://kswifi.example.org",
        "smdp_address": "smdp.example.org",
        "diameter_peers": "smf.example.org@10.0.0.0/24",
        "metrics_port": "0",
        "console_port": "0",
        **{f"{name}_port": str(port) for name, port in ports.items()},
        **settings,
    }
    given = {f"KSWIFI_{name.upper()}": value for name, value in environment.items()}
    server = ForkedChild("server", given, folder / "server.log")
    try:
        return {name: (reaches(port, "127.0.0.1"), reaches(port, "::1")) for name, port in ports.items()}
    finally:
        server.stop()


def test_ready_says_addresses_that_can_be_connected_to(tmp_path: Path) -> None:
    ports = free_ports(("api", "metrics", "diameter", "rsp", "console"))
    environment = {
        "KSWIFI_DATA_DIR": str(tmp_path / "var"),
        "KSWIFI_MODE": "own-core",
        "KSWIFI_IDENTIFIER_PROOF": "false",
        "KSWIFI_HOST": "::1",
        **{f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in ports.items()},
    }
    server = ForkedChild("server", environment, tmp_path / "server.log")
    try:
        assert server.ready["origin"] == f"http://[::1]:{ports['api']}"
        assert server.ready["diameter"] == f"[::1]:{ports['diameter']}"
        assert server.ready["rsp"] == f"[::1]:{ports['rsp']}"
        answer = httpx2.get(f"{server.ready['origin']}/healthz", trust_env=False)
        assert answer.status_code == 200
        assert httpx2.get(f"http://{server.ready['metrics']}/metrics", trust_env=False).status_code == 200
        with socket.create_connection(("::1", ports["rsp"]), 5) as plain:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as tls:
                assert tls.getpeercert(binary_form=True)
    finally:
        server.stop()


def kswifi(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    given = {f"KSWIFI_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "kswifi", *arguments],
        env={**own, "KSWIFI_DATA_DIR": str(folder / "var"), **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("command", "host"), [("up", "0.0.0.0"), ("serve", "::"), ("lab", "192.0.2.1")])
def test_embedded_mode_says_what_to_do_instead_of_opening(tmp_path: Path, command: str, host: str) -> None:
    done = kswifi(tmp_path, command, host=host)
    assert done.returncode == 1
    assert f"KSWIFI_HOST is {host}" in done.stderr
    assert "kswifi up --lan" in done.stderr
    assert "KSWIFI_MODE=own-core" in done.stderr
    assert not (tmp_path / "var").exists()


def test_the_lab_starts_in_embedded_mode_alone(tmp_path: Path) -> None:
    done = kswifi(tmp_path, "lab", mode="own-core")
    assert done.returncode == 1
    assert "the lab belongs to embedded mode" in done.stderr


def test_up_in_own_core_starts_the_server_and_no_lab(tmp_path: Path) -> None:
    ports = free_ports(
        ("api", "metrics", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox", "console")
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    environment |= {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    environment |= {
        "KSWIFI_DATA_DIR": str(tmp_path / "var"),
        "KSWIFI_MODE": "own-core",
        "KSWIFI_IDENTIFIER_PROOF": "false",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "kswifi", "up"], env=environment, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        try:
            said = ""
            while "Stop with Ctrl-C" not in said:
                line = up.stdout.readline()
                assert line, said
                said += line
            assert "There is no lab in this mode" in said
            open_ports = {name for name, port in ports.items() if reaches(port, "127.0.0.1")}
            assert open_ports == {"api", "metrics", "diameter", "rsp", "console"}
        finally:
            up.terminate()
            up.wait(30)
    assert up.returncode == 0


def test_a_server_for_phones_elsewhere_does_not_sign_names_of_loopback(tmp_path: Path) -> None:
    done = kswifi(tmp_path, "serve", mode="own-core", host="0.0.0.0", api_port="0", rsp_port="0", diameter_port="0")
    assert done.returncode == 1
    assert "KSWIFI_SMDP_ADDRESS" in done.stderr
    assert "KSWIFI_PUBLIC_ORIGIN" in done.stderr
    alone = kswifi(tmp_path, "serve", "--role", "rsp", "--host", "0.0.0.0", "--port", "0", mode="own-core")
    assert alone.returncode == 1
    assert "KSWIFI_SMDP_ADDRESS" in alone.stderr
    embedded = kswifi(tmp_path, "serve", "--role", "rsp", "--host", "0.0.0.0", "--port", "0")
    assert embedded.returncode == 1
    assert "KSWIFI_RSP_HOST is 0.0.0.0" in embedded.stderr


def test_lan_opens_page_trust_and_checkout_and_nothing_else(tmp_path: Path) -> None:
    there = "127.9.9.9"  # not the address that everything else listens on
    extra = free_ports(("lan", "trust"))
    settings = {f"{name}_port": port for name, port in extra.items()}
    with running_system(tmp_path, lan_address=there, **settings) as system:
        names = [
            "api",
            "metrics",
            "console",
            "diameter",
            "rsp",
            "lab",
            "content",
            "proxy",
            "attach",
            "sandbox",
            "lan",
            "trust",
        ]
        ports = {name: int(system.environment[f"KSWIFI_{name.upper()}_PORT"]) for name in names}
        assert {name for name, port in ports.items() if reaches(port, there)} == {"sandbox", "lan", "trust"}
        said = _say_what_is_open({name: child.ready for name, child in system.children.items()})
        assert "OPEN TO EVERYBODY IN THIS NETWORK" in said
        for name in ("lan", "trust", "sandbox"):
            assert f"{there}:{ports[name]}" in said
