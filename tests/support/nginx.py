"""Debian's nginx as a process of the test: the reverse proxy that docs/reverse-proxy.md describes."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SAMPLE = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
_PAGE = Path(__file__).parent.parent.parent / "docs" / "reverse-proxy.md"


def required() -> str:
    """Return its program; skip the test where it is not installed, and fail it in CI."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        words = "nginx is missing: apt install nginx-light"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return program


def documented_server(port: int, api_port: int, certificate: Path) -> str:
    """Return the sample of docs/reverse-proxy.md, with this port, API and certificate instead of the sample's."""
    found = _SAMPLE.search(_PAGE.read_text())
    assert found is not None
    sample = found[1]
    for written, ours in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("server_name wifi.example.ng;", "server_name 127.0.0.1;"),
        ("/etc/letsencrypt/live/wifi.example.ng/fullchain.pem", str(certificate)),
        ("/etc/letsencrypt/live/wifi.example.ng/privkey.pem", str(certificate)),
        ("http://127.0.0.1:8080;", f"http://127.0.0.1:{api_port};"),
    ):
        assert sample.count(written) == 1, written
        sample = sample.replace(written, ours)
    return sample


@contextmanager
def nginx(folder: Path, port: int, server: str) -> Iterator[None]:
    """Run it with this server block, on this port of 127.0.0.1, with every file in the folder."""
    program = required()
    folder.mkdir()
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait_until_it_listens(process, port)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise AssertionError(f"nginx did not start: {process.communicate()[1].decode()}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not listen")
