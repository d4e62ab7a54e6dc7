"""Load on an SM-DP+: one server process, several client processes, full downloads over TLS.

The CPU time is that of the server's process, so that the figures do not depend on the speed of the clients.
"""

import multiprocessing
import os
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from kswifi.bench.es9_client import Download, Es9Client
from kswifi.bench.light_card import LightCard
from kswifi.kernel.clock import SystemClock
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Eid, Iccid, Imsi, luhn_digit
from kswifi.lab.children import Child
from kswifi.rsp.certificates import Role
from kswifi.rsp.curves import Curve
from kswifi.rsp.pki import CardIdentity, Pki, load_pki
from kswifi.rsp.pki_making import make_card
from kswifi.rsp.saip.build import ProfileParameters, build_profile

NAME: Final = "localhost"
PROFILE: Final = "bench"
ORGANIZATION: Final = "KSWiFi"
_WARM_UP: Final = 5


class LoadFailedError(KswifiError):
    """A client could not complete its downloads."""

    code = "load_failed"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The number of clients, and the downloads and initiations of each."""

    clients: int = 2
    downloads: int = 100
    initiations: int = 300


def run_load(plan: LoadPlan) -> dict[str, float | int]:
    """Run a server and its clients in a fresh data directory; return the figures.

    Raises:
        ChildFailedError: the server did not start.
        LoadFailedError: a client failed.
    """
    with tempfile.TemporaryDirectory(prefix="kswifi-bench-") as folder:
        root = Path(folder)
        profiles = root / "profiles"
        profiles.mkdir()
        (profiles / f"{PROFILE}.der").write_bytes(_profile())
        arguments = ["serve", "--role", "rsp", "--port", "0", "--profiles", str(profiles), "--as-child"]
        arguments += ["--smdp-address", NAME]
        environment = {"KSWIFI_DATA_DIR": str(root / "data"), "KSWIFI_LOG_LEVEL": "warning"}
        server = Child.start("rsp", arguments, environment, root / "server.log")
        try:
            port = int(str(server.ready["es9plus"]).rpartition(":")[2])
            pki_dir = root / "data" / "pki"
            initiated = _measure(plan.clients, plan.initiations, _initiate, server.pid, port, pki_dir)
            downloaded = _measure(plan.clients, plan.downloads, _download, server.pid, port, pki_dir)
        finally:
            server.stop()
    return {
        "downloads_per_s": round(downloaded.per_second, 1),
        "server_cpu_ms_per_download": round(downloaded.cpu_ms, 2),
        "initiate_per_s": round(initiated.per_second, 1),
        "server_cpu_ms_per_initiate": round(initiated.cpu_ms, 2),
        "clients": plan.clients,
        "downloads": plan.clients * plan.downloads,
    }


@dataclass(frozen=True, slots=True)
class _Measured:
    per_second: float
    cpu_ms: float


Step = Callable[[Es9Client, LightCard, str], None]


def _measure(clients: int, count: int, step: Step, server_pid: int, port: int, pki_dir: Path) -> _Measured:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(clients + 1)
    processes = [
        context.Process(target=_client, args=(step, count, port, pki_dir, barrier)) for _ in range(clients)
    ]
    for process in processes:
        process.start()
    try:
        barrier.wait(60)
    except BrokenBarrierError:
        raise LoadFailedError("a client failed: see above") from None
    began, cpu = time.perf_counter(), _cpu_seconds(server_pid)
    for process in processes:
        process.join()
    seconds, cpu = time.perf_counter() - began, _cpu_seconds(server_pid) - cpu
    if any(process.exitcode for process in processes):
        raise LoadFailedError("a client failed: see above")
    done = clients * count
    return _Measured(done / seconds, cpu / done * 1000)


def _client(step: Step, count: int, port: int, pki_dir: Path, barrier: Barrier) -> None:
    """Run one client process, with its own card and one connection."""
    pki = load_pki({str(path.relative_to(pki_dir)): path.read_bytes() for path in pki_dir.rglob("*.*")})
    card = LightCard(_new_card(pki), pki.trust())
    oid = pki.smdp_identities()[0].oid
    with Es9Client(("127.0.0.1", port), _tls(pki), NAME) as client:
        for _ in range(_WARM_UP):
            step(client, card, oid)
        barrier.wait(60)
        for _ in range(count):
            step(client, card, oid)


def _new_card(pki: Pki) -> CardIdentity:
    """Make a card with a random EID, so that each client has a different card."""
    eum = next(each for each in pki.of_role(Role.EUM) if each.certificate.curve is Curve.NIST_P256)
    prefix = eum.certificate.permitted[0].eid_prefix
    serial = f"{int.from_bytes(os.urandom(9), 'big'):022d}"
    eid = Eid.with_check_digits(prefix + serial[-(30 - len(prefix)) :])
    card = make_card(eum, organization=ORGANIZATION, eid=eid, at=SystemClock().now())
    return CardIdentity(eum.certificate.issuer_key_id, card, eum.certificate)


def _initiate(client: Es9Client, card: LightCard, _oid: str) -> None:
    Download(client, card, NAME, PROFILE).initiate()


def _download(client: Es9Client, card: LightCard, oid: str) -> None:
    """Do one download with its notification. The card does not decrypt the package: only the server is measured."""
    walk = Download(client, card, NAME, PROFILE)
    walk.initiate()
    walk.authenticate()
    card.one_time_key = None
    walk.get_package()
    walk.notify(walk.install_result(oid))


def _tls(pki: Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    issuers = b"".join(each.certificate.parsed.public_bytes(Encoding.PEM) for each in pki.of_role(Role.CI))
    context.load_verify_locations(cadata=issuers.decode())
    return context


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, user and system, of a process (proc(5): fields 14 and 15)."""
    fields: list[Any] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _profile() -> bytes:
    digits = "899990100000000001"
    return build_profile(
        ProfileParameters(
            iccid=Iccid(digits + luhn_digit(digits)),
            imsi=Imsi("001010000000001"),
            k=bytes(16),
            opc=bytes(16),
            adm_key=bytes(8),
            session_record=bytes(123),
            puk_1=b"00000000",
            puk_2=b"00000000",
            kic=bytes(16),
            kid=bytes(16),
        )
    )
