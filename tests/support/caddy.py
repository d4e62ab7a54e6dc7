"""Debian's Caddy as a process of the test, with the sample of docs/reverse-proxy.md."""

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.programs import required_program

_SAMPLE: Final = re.compile(r"## Caddy\n\n```\n(.*?)```", re.DOTALL)
_PAGE: Final = Path(__file__).parents[2] / "docs" / "reverse-proxy.md"


def documented_site(port: int, api_port: int) -> str:
    """Return the sample with this port and API, and with a certificate of Caddy's own authority."""
    found = _SAMPLE.search(_PAGE.read_text())
    assert found is not None
    sample = found[1]
    for written, ours in (
        ("wifi.example.ng {", f"https://127.0.0.1:{port} {{\n    tls internal"),
        ("reverse_proxy 127.0.0.1:8080", f"reverse_proxy 127.0.0.1:{api_port}"),
    ):
        assert sample.count(written) == 1, written
        sample = sample.replace(written, ours)
    return "{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n}\n" + sample


@contextmanager
def caddy(folder: Path, port: int, site: str) -> Iterator[Path]:
    """Run it with this site on this port; give the certificate of its authority."""
    program = required_program("caddy", "caddy")
    folder.mkdir()
    (folder / "Caddyfile").write_text(site)
    environment = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": "/usr/bin",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    try:
        for _ in range(400):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                if authority.exists() and _has_certificate(authority, port):
                    break
            except ConnectionError:
                pass
            time.sleep(0.05)
        yield authority
    finally:
        process.terminate()
        process.wait(30)


def _has_certificate(authority: Path, port: int) -> bool:
    """Tell whether it has made its certificate, which takes a moment after it listens."""
    tls = ssl.create_default_context(cafile=str(authority))
    try:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return True
    except ssl.SSLError:
        return False
    return True
