"""The SM-DP+ process killed at every point of a download: what was answered stays true, and it goes on."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Download, Es9Client
from kswifi.bench.light_card import LightCard
from kswifi.esim.smdp.pki_folder import load_folder
from kswifi.lab.children import Child, ChildFailedError
from kswifi.rsp import binding
from kswifi.rsp.curves import Curve
from tests.support.smdp import ADDRESS, PROFILE, TS48, client_context


class Process:
    """`kswifi serve --role rsp`, killed and started again on the same data and port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.child = self._start()

    def _start(self) -> Child:
        arguments = ["serve", "--role", "rsp", "--as-child", "--port", str(self.port), "--smdp-address", ADDRESS]
        environment = {"KSWIFI_DATA_DIR": str(self.folder / "data")}
        child = Child.start("rsp", [*arguments, "--profiles", str(TS48)], environment, self.folder / "log")
        self.port = int(str(child.ready["es9plus"]).rpartition(":")[2])
        return child

    def kill_and_restart(self) -> None:
        self.child.kill()
        self.child = self._start()


@contextmanager
def process(folder: Path) -> Iterator[Process]:
    running = Process(folder)
    try:
        yield running
    finally:
        running.child.stop()


def test_a_download_survives_a_kill_at_every_point(tmp_path: Path) -> None:
    with process(tmp_path) as running:
        pki = load_folder(tmp_path / "data" / "pki")
        identity = next(each for each in pki.card_identities() if each.eum.curve is Curve.NIST_P256)
        card = LightCard(identity, pki.trust())

        def fresh(step: Callable[[], None]) -> None:
            """Kill the server, then take a step over a new connection."""
            walk.client.close()
            running.kill_and_restart()
            step()

        with Es9Client(("127.0.0.1", running.port), client_context(pki), ADDRESS) as client:
            walk = Download(client, card, ADDRESS, PROFILE)
            walk.initiate()
            fresh(walk.authenticate)
            response = walk.prepare_response()
            fresh(lambda: walk.get_package(response))
            first = walk.package
            fresh(lambda: walk.get_package(response))  # the answer was lost: the same binding again
            assert walk.package[-200:] == first[-200:]
            assert walk.open_package()[-1] == binding.PackageComplete()
            result = walk.install_result(pki.smdp_identities()[0].oid)
            fresh(lambda: walk.notify(result))
            fresh(lambda: walk.notify(result))
        log = (tmp_path / "log").read_text()
        assert log.count("event='profile_installed'") == 1
        assert "install_result_again" in log
        assert "Traceback" not in log


def test_the_keys_of_an_installation_are_for_its_owner_alone(tmp_path: Path) -> None:
    with process(tmp_path):
        pass
    for root, folders, names in os.walk(tmp_path / "data"):
        for name in (*folders, *names):
            assert (Path(root) / name).stat().st_mode & 0o077 == 0, name


def test_a_pki_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ["serve", "--role", "rsp", "--as-child", "--port", "0", "--pki", str(empty)]
    with pytest.raises(ChildFailedError, match=r"no DP(tls|auth)"):
        Child.start("rsp", arguments, {"KSWIFI_DATA_DIR": str(tmp_path / "data")}, tmp_path / "log")
    assert "Traceback" not in (tmp_path / "log").read_text()
