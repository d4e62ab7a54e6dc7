"""What the server does about a jump: it reports it, keeps it in mind over a restart, and takes confirmations."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from kswifi.bootstrap import clock as wiring
from kswifi.bootstrap.parts.clock import ClockMetrics, ClockWatch, time_server
from kswifi.data_directory.clock_file import LastReading, read_reading, write_reading
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import SystemClock
from kswifi.kernel.clock_guard import AGREEMENT_SECONDS, FollowingClock, GuardedClock
from kswifi.ledger.effects import WalletOpened
from kswifi.ledger.storage.journal import next_record
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.settings import Settings, load_settings
from tests.unit.kernel.test_clock_guard import DAY, START, Machine

_NTP_OF_UNIX_EPOCH = 2_208_988_800


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    it = Machine()
    monkeypatch.setattr(wiring, "machine_reader", lambda: it.read)
    return it


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    it = Installation(tmp_path / "var").open()
    yield it
    it.close()


def guarded(installation: Installation, settings: Settings | None = None) -> GuardedClock:
    clock = wiring.server_clock(settings or load_settings(), installation)
    assert isinstance(clock, GuardedClock)
    return clock


async def test_a_jump_is_logged_kept_and_confirmed(machine: Machine, installation: Installation) -> None:
    clock = guarded(installation)
    watch = ClockWatch(clock, installation, None)
    with structlog.testing.capture_logs() as lines:
        await watch.look()
        machine.jump(40 * DAY)
        await watch.look()
        machine.run(60)
        await watch.look()
        assert [(it["event"], it["log_level"]) for it in lines] == [("clock_jumped", "critical")]
        assert "kswifi_clock_doubted 1.0" in ClockMetrics(clock).text().decode()
        watch.save()
        assert guarded(installation).is_doubted  # the next start
        write_reading(installation.clock_confirmation, machine.read())
        await watch.look()
    assert [it["event"] for it in lines[1:]] == ["clock_confirmed", "clock_believed"]
    assert not installation.clock_confirmation.exists()
    assert clock.now().timestamp() == START + 40 * DAY + 60
    assert not guarded(installation).is_doubted
    assert "kswifi_clock_jump_seconds 0.0" in ClockMetrics(clock).text().decode()


async def test_a_start_takes_a_confirmation_and_a_look_leaves_it(
    machine: Machine, installation: Installation
) -> None:
    await ClockWatch(guarded(installation), installation, None).look()
    machine.jump(-40 * DAY)
    write_reading(installation.clock_confirmation, machine.read())
    shown = wiring.server_clock(load_settings(), installation, confirms=False)
    assert isinstance(shown, GuardedClock)
    assert shown.is_doubted
    assert not guarded(installation).is_doubted
    assert not installation.clock_confirmation.exists()


async def test_the_ledger_shows_a_clock_that_is_ten_years_back(
    machine: Machine, installation: Installation
) -> None:
    journal = SqliteJournal(installation.ledger_dir)
    journal.append(next_record(journal.open(), int(START), [WalletOpened("w", "62199", 1)]))
    journal.close()
    machine.jump(-3650 * DAY)
    clock = guarded(installation)
    assert (clock.is_doubted, clock.now().timestamp()) == (True, START)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", json.dumps({"wall": "x"}).encode()])
def test_a_file_that_cannot_be_read_is_no_reading(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clock").write_bytes(content)
    assert read_reading(tmp_path / "clock") is None


async def test_the_children_follow_the_file(
    machine: Machine, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = guarded(installation)
    await ClockWatch(clock, installation, None).look()
    child = wiring.child_clock(load_settings(), installation)
    assert isinstance(child, FollowingClock)
    machine.run(5)
    machine.jump(40 * DAY)
    assert child.now().timestamp() == START + 5
    last = LastReading(installation.clock)
    assert last() == read_reading(installation.clock)


def test_the_guard_can_be_left_out(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_CLOCK_JUMP_SECONDS", "0")
    assert isinstance(wiring.server_clock(load_settings(), installation), SystemClock)
    assert isinstance(wiring.child_clock(load_settings(), installation), SystemClock)


@contextmanager
def ntp_server(ahead_seconds: float) -> Iterator[str]:
    """Answer NTP requests (RFC 5905, 7.3) with a clock that is so much ahead of this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    request, client = listener.recvfrom(512)
                except OSError:
                    return
                if not request:
                    return
                now = time.time() + ahead_seconds + _NTP_OF_UNIX_EPOCH
                stamp = struct.pack("!II", int(now), int(now % 1 * (1 << 32)))
                head = struct.pack("!BBbbIII", 0x24, 1, 6, -20, 0, 0, 0)
                listener.sendto(head + stamp + request[40:48] + stamp + stamp, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", listener.getsockname())
            thread.join()


async def test_a_time_server_is_asked() -> None:
    with ntp_server(40 * DAY) as address:
        told = await time_server(address)()
    assert told is not None
    assert abs(told - time.time() - 40 * DAY) < 5
    assert await time_server("127.0.0.1:9")() is None


async def test_a_time_server_that_agrees_confirms_the_jump(
    machine: Machine, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = guarded(installation), list[float]()

    async def source() -> float:
        asked.append(machine.reading.wall)
        return machine.reading.wall + 1

    monkeypatch.setattr("kswifi.bootstrap.parts.clock._ASK_SECONDS", 0.0)
    watch = ClockWatch(clock, installation, source)
    await watch.look()
    assert asked == []  # it is asked while the clock is doubted alone
    machine.jump(40 * DAY)
    for _ in range(11):
        await watch.look()
        machine.run(AGREEMENT_SECONDS / 10)
    assert (clock.is_doubted, len(asked)) == (False, 11)


async def test_it_runs_until_it_is_stopped_and_saves(machine: Machine, installation: Installation) -> None:
    watch = ClockWatch(guarded(installation), installation, None)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    machine.run(7)
    watch.stop()
    await running
    saved = read_reading(installation.clock)
    assert saved is not None
    assert saved.wall == START + 7
