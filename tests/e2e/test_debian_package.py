"""The Debian package, installed in a fresh Debian root, serves, survives an upgrade, and keeps data when purged.

Long, and for root alone: it builds the package and a root directory with debootstrap.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest

from kswifi.lab.ports import free_ports
from tests.support.programs import required_program

ROOT: Final = Path(__file__).resolve().parents[2]
PORTS: Final = ("api", "metrics", "diameter", "rsp")
_SERVE: Final = "set -a; . /etc/kswifi/kswifi.env; exec /opt/kswifi/bin/kswifi serve"
_ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
_INCLUDED: Final = "python3,adduser,tzdata,ca-certificates"


@dataclass
class DebianRoot:
    """A Debian in a directory. Commands run in a mount namespace of their own, so no mount is left behind."""

    path: Path

    def command(self, *words: str, user: str = "root") -> list[str]:
        """Return the command line that runs words inside, as a user, without new privileges and capabilities."""
        inside = ["chroot", f"--userspec={user}:{user}", str(self.path), *words]
        mounts = f'mount -t proc proc "{self.path}/proc" && mount --rbind /dev "{self.path}/dev" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mounts, "sh", *inside]

    def run(self, *words: str, user: str = "root", status: int | None = 0) -> str:
        """Run a command inside to its end; return what it printed."""
        command = self.command(*words, user=user)
        done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def shell(self, script: str, *, user: str = "kswifi", status: int | None = 0) -> str:
        """Run a script with the settings of the package's environment file."""
        return self.run("sh", "-c", f"set -a; . /etc/kswifi/kswifi.env; {script}", user=user, status=status)

    @contextmanager
    def serving(self, metrics_port: int) -> Iterator[None]:
        """Run the server as the unit does: as kswifi, with the settings of the environment file."""
        with subprocess.Popen(
            self.command("setpriv", "--reuid=kswifi", "--regid=kswifi", "--clear-groups", "--no-new-privs",
                         "--bounding-set=-all", "sh", "-c", _SERVE),
            env=_ENVIRONMENT,
        ) as server:  # fmt: skip
            try:
                wait_until_ready(server, metrics_port)
                yield
            finally:
                server.terminate()
                assert server.wait(60) == 0


def wait_until_ready(server: "subprocess.Popen[bytes]", metrics_port: int) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            if httpx2.get(f"http://127.0.0.1:{metrics_port}/readyz", trust_env=False).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError("the server is not ready after two minutes")


def built_package(folder: Path) -> Path:
    """Return the package of this source; TEST_DEB may name one that is built already."""
    if given := os.environ.get("TEST_DEB"):
        return Path(given)
    required_program("dpkg-deb", "dpkg")
    build = ["sh", str(ROOT / "deploy" / "debian" / "build.sh"), str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def debian_root(folder: Path) -> DebianRoot:
    """Return a minimal Debian of this machine's release; a copy of TEST_DEBIAN_ROOT where that is given."""
    if given := os.environ.get("TEST_DEBIAN_ROOT"):
        subprocess.run(["cp", "-a", given, str(folder / "root")], check=True)
        return DebianRoot(folder / "root")
    debootstrap = required_program("debootstrap", "debootstrap")
    release = re.search(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())
    assert release is not None
    done = subprocess.run(
        [debootstrap, "--variant=minbase", f"--include={_INCLUDED}", release[1], str(folder / "root")],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return DebianRoot(folder / "root")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and chroot are for root")
def test_the_package_installs_serves_upgrades_and_keeps_data(tmp_path: Path) -> None:
    package, debian = built_package(tmp_path), debian_root(tmp_path)
    shutil.copy(package, debian.path / "kswifi.deb")
    contents = subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True).stdout
    assert str(ROOT) not in contents
    debian.run("dpkg", "-i", "/kswifi.deb")

    assert debian.run("stat", "-c", "%a %U", "/var/lib/kswifi", "/var/backups/kswifi", "/etc/kswifi/secrets",
                      "/etc/kswifi/kswifi.env").split("\n")[:4] == [
        "700 kswifi", "700 kswifi", "700 root", "640 root",
    ]  # fmt: skip
    assert debian.run("kswifi", "version", user="kswifi").strip() == package.name.split("_")[1].split("+")[0]
    # Before the names are set the server says what is missing.
    assert debian.shell("exec kswifi serve", status=1) == ""

    (debian.path / "etc/kswifi/secrets/email_password").write_text("a secret\n")
    ports = free_ports(PORTS)
    with (debian.path / "etc/kswifi/kswifi.env").open("a") as file:
        file.write("KSWIFI_PUBLIC_ORIGIN=https://wifi.example.ng\nKSWIFI_SMDP_ADDRESS=smdp.example.ng\n")
        file.write("KSWIFI_IDENTIFIER_PROOF=false\n")
        file.writelines(f"KSWIFI_{name.upper()}_PORT={port}\n" for name, port in ports.items())
    with debian.serving(ports["metrics"]):
        page = f"http://127.0.0.1:{ports['api']}/api/v1/environment"
        answer = httpx2.get(page, headers={"Host": "wifi.example.ng"}, trust_env=False)
        assert answer.status_code == 200, answer.text
        found = json.loads(debian.run("kswifi-admin", "doctor", "--json", status=None))
        assert [it for it in found["findings"] if it["verdict"] == "failed"] == []
        assert "email_password" in debian.run("kswifi-admin", "config")
        assert list((debian.path / "run").glob("kswifi-admin.*")) == []
        debian.run("kswifi-admin", "backup", "/var/backups/kswifi/one.tar.gz")
        debian.run("kswifi-admin", "copy", "/var/backups/kswifi/copy", "--once")
        debian.run("kswifi-admin", "restore-drill", "/var/backups/kswifi/copy", "--in", "/var/backups/kswifi")
        # An upgrade replaces the files under a running server, and keeps the settings that the operator changed.
        debian.run("dpkg", "-i", "--force-confold", "/kswifi.deb")
    assert "wifi.example.ng" in (debian.path / "etc/kswifi/kswifi.env").read_text()
    debian.run(
        "sh", "-c", "mv /var/lib/kswifi /var/lib/lost && install -d -m 700 -o kswifi -g kswifi /var/lib/kswifi"
    )
    debian.run("kswifi-admin", "restore", "/var/backups/kswifi/copy", "--latest", "--yes")
    with debian.serving(ports["metrics"]):
        pass

    debian.run("dpkg", "--purge", "kswifi")
    assert not (debian.path / "opt/kswifi/bin").exists()
    assert (debian.path / "var/lib/kswifi/control.db").exists()
    assert (debian.path / "var/backups/kswifi/one.tar.gz").exists()
