"""Debian's freeDiameter as a process of the test: a Diameter node that nobody here wrote."""

import datetime as dt
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

IDENTITY = "relay.localdomain"
_EXTENSIONS = Path("/usr/lib/freeDiameter")
# The group ffdhe2048 of RFC 7919 A.1: left alone, each start looks for a prime of its own, which may take long.
_FFDHE2048 = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def required() -> str:
    """Return its program; skip the test where it is not installed, and fail it in CI."""
    program = shutil.which("freeDiameterd")
    if program is None or not (_EXTENSIONS / "acl_wl.fdx").exists():
        words = "freeDiameter is missing: apt install freediameterd freediameter-extensions"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return program


@dataclass
class FreeDiameter:
    """The process, and what it said."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def leave(self) -> int:
        """Make it say farewell (DPR) and end; return its exit status."""
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def free_diameter(folder: Path, server_port: int, port: int) -> Iterator[FreeDiameter]:
    """Run it as a relay that connects to our server and lets clients in on ``port``."""
    program = required()
    _certificate(folder)
    (folder / "dh.pem").write_text(_FFDHE2048)
    (folder / "acl.conf").write_text("ALLOW_IPSEC *.localdomain\n")
    extensions = ("dict_nasreq", "dict_dcca", "dict_dcca_3gpp")
    (folder / "fd.conf").write_text(
        f'Identity = "{IDENTITY}";\nRealm = "localdomain";\nPort = {port};\nSecPort = 0;\nNo_SCTP;\nNo_IPv6;\n'
        f'ListenOn = "127.0.0.1";\nTwTimer = 6;\nTcTimer = 1;\n'
        f'TLS_DH_File = "{folder}/dh.pem";\n'
        f'TLS_Cred = "{folder}/cert.pem", "{folder}/key.pem";\nTLS_CA = "{folder}/cert.pem";\n'
        + "".join(f'LoadExtension = "{_EXTENSIONS}/{name}.fdx";\n' for name in extensions)
        + f'LoadExtension = "{_EXTENSIONS}/acl_wl.fdx" : "{folder}/acl.conf";\n'
        f'ConnectPeer = "ocs.localdomain" {{ ConnectTo = "127.0.0.1"; Port = {server_port}; No_TLS; }};\n'
    )
    log = folder / "fd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "-c", str(folder / "fd.conf")], stdout=out, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            yield FreeDiameter(process, log)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


def _certificate(folder: Path) -> None:
    """Make the certificate that its settings ask for, although nothing here is encrypted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, IDENTITY)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
