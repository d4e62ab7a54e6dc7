"""The commands as people run them: `kswifi demo`, `kswifi up`, `kswifi backup` and `kswifi restore`."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import httpx2
import pytest

from kswifi.lab.demo.app import PhoneApp
from tests.support.system import PASSWORD, WholeSystem, new_identifier, running_system, whole_system, write_offers

KSWIFI = [sys.executable, "-m", "kswifi"]


def environment_of(system: WholeSystem) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    return {**kept, **system.environment}


def test_the_demo_walks_the_whole_road(tmp_path: Path) -> None:
    offers = write_offers(tmp_path / "offers.toml")
    told = subprocess.run(
        [*KSWIFI, "demo", "--offer", "free-20mb", "--json"],
        env={**os.environ, "KSWIFI_OFFERS_FILE": str(offers)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 0, told.stderr + told.stdout
    (line,) = told.stdout.splitlines()
    facts = json.loads(line)
    assert facts["offer"] == "free-20mb"
    assert facts["allowance_octets"] == facts["delivered_octets"] == facts["ledger"]["used"] == 20_000_000
    assert facts["ledger"] == {"credited": 20_000_000, "used": 20_000_000, "reserved": 0, "available": 0}
    assert (facts["overrun_octets"], facts["cut_off"], facts["state"]) == (0, True, "exhausted")
    assert 0 < facts["body_octets"] < 20_000_000
    assert facts["throughput_mbit_s"] > 0
    assert [it["name"] for it in facts["stages"]] == [
        "register", "offers", "order", "download", "store", "leave_wifi",
        "line_on", "browse", "check_content", "back_to_wifi",
    ]  # fmt: skip


@pytest.mark.soak
def test_the_demo_spends_three_sessions_of_one_esim_in_a_changed_order(tmp_path: Path) -> None:
    offers = write_offers(tmp_path / "offers.toml")
    told = subprocess.run(
        [*KSWIFI, "demo", "--offer", "free-20mb", "--sessions", "3", "--json"],
        env={**os.environ, "KSWIFI_OFFERS_FILE": str(offers)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 0, told.stderr
    facts = json.loads(told.stdout)
    assert [it["storage_proof"] for it in facts["sessions"]] == ["install_result", "por", "por"]
    assert {(it["used_octets"], it["overrun_octets"], it["state"]) for it in facts["sessions"]} == {
        (20_000_000, 0, "exhausted")
    }
    assert facts["order"] == [it["session_id"] for it in reversed(facts["sessions"])]
    assert facts["delivered_octets"] == [20_000_000, 40_000_000]
    assert facts["packets_proved"] >= 3


@pytest.mark.soak
def test_the_demo_says_what_went_wrong(tmp_path: Path) -> None:
    offers = write_offers(tmp_path / "offers.toml")
    told = subprocess.run(
        [*KSWIFI, "demo", "--offer", "free-7gb", "--json"],
        env={**os.environ, "KSWIFI_OFFERS_FILE": str(offers)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr.startswith("kswifi demo: there is no offer 'free-7gb'; there are day-1mb,")


class Up:
    """A running `kswifi up` and what it says."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.process = subprocess.Popen(
            [*KSWIFI, "up"],
            env=dict(environment),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, words: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not any(words in line for line in self.said):
            try:
                self.said.append(self._lines.get(timeout=max(0.01, until - time.monotonic())))
            except Empty:
                raise AssertionError(f"{words!r} was not said, but {self.said}") from None

    def children(self) -> dict[str, int]:
        """Return the processes of this one, by the command they run."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    status = (entry / "stat").read_text()
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if int(status.rpartition(")")[2].split()[1]) == self.process.pid and b"--as-child" in command:
                    found[command[command.index(b"kswifi") + 1].decode()] = int(entry.name)
        return found

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status once it has ended."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        status = self.process.wait(30)
        self._reader.join(10)
        while not self._lines.empty():
            self.said.append(self._lines.get())
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


@contextmanager
def up(environment: Mapping[str, str], folder: Path) -> Iterator[Up]:
    running = Up(environment, folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()  # its children end with their standard input
            running.end()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_up_starts_stops_and_carries_on(tmp_path: Path) -> None:
    system = whole_system(tmp_path)
    environment = environment_of(system)
    origin = f"http://localhost:{environment['KSWIFI_API_PORT']}"
    identifier = new_identifier()
    with up(environment, tmp_path) as first:
        first.wait_for(origin)
        app = PhoneApp(origin)
        app.register(identifier, PASSWORD)
        session_id = app.order("free-3mb")["session_id"]
        app.wait_until(session_id, ("packaged",))

        taken = subprocess.run(
            [*KSWIFI, "up"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert taken.returncode == 1
        assert taken.stderr == (
            f"kswifi: port {environment['KSWIFI_API_PORT']} on 127.0.0.1 cannot be used (Address already in use): "
            "stop what listens there, or set KSWIFI_API_PORT to another\n"
        )
        elsewhere = whole_system(tmp_path / "elsewhere", data_dir=system.data_dir)
        second = subprocess.run(
            [*KSWIFI, "up"],
            env=environment_of(elsewhere),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert second.returncode == 1
        assert f"another KSWiFi server works on {system.data_dir}" in second.stderr
        assert "Traceback" not in second.stderr

        children = first.children()
        assert set(children) == {"serve", "lab"}
        os.kill(children["serve"], signal.SIGKILL)  # a child that dies is started again
        first.wait_for("the server process ended by itself; starting it again")
        assert app.internet_session(session_id)["state"] == "packaged"
        children = first.children()
        assert first.interrupt() == 0
        assert "Stopped. The next start carries on with what is there.\n" in first.said
        assert all(is_gone(pid) for pid in children.values())
        with pytest.raises(httpx2.TransportError):
            httpx2.get(origin, trust_env=False)

    with up(environment, tmp_path) as again:
        again.wait_for(origin)
        assert app.internet_session(session_id)["state"] == "packaged"  # still signed in
        children = again.children()
        again.process.kill()  # not even the supervisor can leave them behind
        again.end()
        until = time.monotonic() + 20
        while not all(is_gone(pid) for pid in children.values()):
            assert time.monotonic() < until, "the children outlived their parent"
            time.sleep(0.05)
    app.close()
    keys = system.data_dir / "keys"
    assert (keys.stat().st_mode & 0o777, {it.stat().st_mode & 0o777 for it in keys.iterdir()}) == (0o700, {0o600})


def test_up_can_be_interrupted_while_it_starts(tmp_path: Path) -> None:
    system = whole_system(tmp_path)
    with up(environment_of(system), tmp_path) as running:
        running.wait_for("starting")
        until = time.monotonic() + 20
        while not (children := running.children()):
            assert time.monotonic() < until
            time.sleep(0.02)
        assert running.interrupt() == 0
        assert all(is_gone(pid) for pid in children.values())
        assert "Traceback" not in "".join(running.said)


def test_a_backup_of_a_running_system_carries_the_road_on(tmp_path: Path) -> None:
    archive = tmp_path / "backup"
    with running_system(tmp_path / "one") as system, system.stored("free-3mb", "phone") as road:
        session_id = road.walked.session_id
        environment = environment_of(system)
        saved = subprocess.run(
            [*KSWIFI, "backup", str(archive)], env=environment, capture_output=True, text=True, check=False
        )
        assert saved.returncode == 0, saved.stderr
        assert archive.stat().st_mode & 0o777 == 0o600
        for _ in range(3):  # the card's sequence number goes on; the backup's stays behind
            road.modem.attach(road.card, road.card.imsi())
            road.modem.detach()
        assert system.account(session_id).used == 0

    moved = whole_system(tmp_path / "two")
    restore = [*KSWIFI, "restore", str(archive), "--yes"]
    put_back = subprocess.run(restore, env=environment_of(moved), capture_output=True, text=True, check=False)
    assert put_back.returncode == 0, put_back.stderr
    refused = subprocess.run(restore, env=environment_of(moved), capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr

    (tmp_path / "one" / "phone").rename(tmp_path / "two" / "phone")
    moved.start()
    try:
        with moved.road() as again:
            again.app._client.cookies.update(road.app._client.cookies)
            again.app._csrf_token = road.app._csrf_token
            again.walked = road.walked
            challenges: list[bytes | None] = []
            authenticate = again.card.authenticate

            def watched(rand: bytes, autn: bytes) -> object:
                answer = authenticate(rand, autn)
                challenges.append(answer.auts)
                return answer

            again.card.authenticate = watched  # type: ignore[method-assign, assignment]
            again.leave_wifi()
            again.switch_line_on()  # the restored centre repeats sequence numbers: AUTS, and in step again
            assert len(challenges) == 2
            assert challenges[0] is not None
            assert challenges[1] is None
            again.browse_until_cut_off()
            again.return_to_wifi()
            assert again.walked.final["state"] == "exhausted"
    finally:
        moved.stop()
    account = moved.account(session_id)
    assert (account.used, account.available, account.overrun) == (3_000_000, 0, 0)


PHONE_WITHOUT_WIFI = """
import json, socket, sys
from pathlib import Path
from kswifi.lab.phone.card import Card
from kswifi.lab.phone.modem import Modem
from kswifi.lab.phone.network import Network, NoNetworkError

folder, attach, proxy, content, others = Path(sys.argv[1]), *(tuple(it) for it in json.loads(sys.argv[2])[:3]), \\
    [tuple(it) for it in json.loads(sys.argv[2])[3:]]
network = Network(folder, (attach, proxy))
network.wifi = False
network.forbid_other_connects()

def outcome(address):
    try:
        socket.create_connection(address, 5).close()
    except (NoNetworkError, OSError) as error:
        return type(error).__name__
    return "connected"

def everywhere():
    print(json.dumps([outcome(it) for it in (attach, proxy, content, *others)]), flush=True)

modem = Modem(network, attach)
with Card.open(folder / "card") as card:
    modem.attach(card, card.imsi())
    everywhere()
    with network.connect(*content) as over_the_line:
        over_the_line.sendall(b"GET / HTTP/1.1\\r\\nHost: content\\r\\n\\r\\n")
        print(json.dumps(over_the_line.recv(12).decode()), flush=True)
    sys.stdin.readline()  # the gateway is stopped meanwhile
    everywhere()
"""


def test_without_wifi_only_the_gateway_is_reached_and_without_it_nothing(tmp_path: Path) -> None:
    with running_system(tmp_path) as system:
        with system.stored("free-3mb", "phone") as road:
            (attach,) = [it for it in road.network.gateway if it == road.modem._address]
            (proxy,) = road.network.gateway - {attach}
            content = road._content
        host, _, port = system.origin.rpartition("//")[2].rpartition(":")
        diameter = str(system.children["server"].ready["diameter"]).split(":")
        addresses = [attach, proxy, content, (host, int(port)), (diameter[0], int(diameter[1])), ("192.0.2.1", 80)]
        phone = subprocess.Popen(
            [sys.executable, "-c", PHONE_WITHOUT_WIFI, str(tmp_path / "phone"), json.dumps(addresses)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with phone:
            assert phone.stdin is not None
            assert phone.stdout is not None
            refused = "NoNetworkError"
            assert json.loads(phone.stdout.readline()) == ["connected"] * 2 + [refused] * 4
            assert json.loads(phone.stdout.readline()) == "HTTP/1.1 200"
            system.children.pop("lab").stop()
            phone.stdin.write("\n")
            phone.stdin.flush()
            assert json.loads(phone.stdout.readline()) == ["ConnectionRefusedError"] * 2 + [refused] * 4
        assert phone.returncode == 0


def test_a_second_server_and_a_second_lab_on_the_same_data_are_refused(tmp_path: Path) -> None:
    from kswifi.lab.children import ChildFailedError

    with running_system(tmp_path / "one") as system:
        other = whole_system(tmp_path / "two", data_dir=system.data_dir)
        with pytest.raises(ChildFailedError, match="another KSWiFi server works on"):
            other.start_one("server")
        with pytest.raises(ChildFailedError, match="another gateway runs on"):
            other.start_one("lab")
        assert httpx2.get(f"{system.origin}/api/v1/offers", trust_env=False).status_code == 200
