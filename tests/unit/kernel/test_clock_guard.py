"""The guarded clock: a jump is not followed until confirmed; suspension and a month switched off are no jumps."""

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from kswifi.kernel.clock_guard import AGREEMENT_SECONDS, FollowingClock, GuardedClock, Reading

DAY = 86_400.0
START = 1_795_000_000.0
JUMP = 300.0


@dataclass
class Machine:
    """A machine whose clocks a test moves."""

    reading: Reading = field(default_factory=lambda: Reading(START, 5_000.0, "first"))

    def read(self) -> Reading:
        return self.reading

    def run(self, seconds: float, boot_seconds: float | None = None) -> None:
        boot = seconds if boot_seconds is None else boot_seconds
        it = self.reading
        self.reading = replace(it, wall=it.wall + seconds, boot=it.boot + boot)

    def jump(self, seconds: float) -> None:
        self.reading = replace(self.reading, wall=self.reading.wall + seconds)

    def off(self, seconds: float) -> None:
        self.reading = Reading(self.reading.wall + seconds, 20.0, "second")

    def clock(self, known: Reading | None = None, at_least: float = 0.0) -> GuardedClock:
        return GuardedClock(self.read, known, at_least=at_least, jump_seconds=JUMP, off_seconds=35 * DAY)


def believed(clock: GuardedClock) -> float:
    return clock.now().timestamp()


@pytest.mark.parametrize("days", [40, -40, 3650, -3650])
def test_a_jump_while_it_runs_is_not_followed_and_the_time_goes_on(days: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(100)
    assert believed(clock) == START + 100
    machine.jump(days * DAY)
    assert believed(clock) == START + 100
    assert (clock.is_doubted, round(clock.jump)) == (True, days * DAY)
    machine.run(3600)
    assert believed(clock) == START + 3700
    machine.jump(-days * DAY)  # set right again: nobody has to confirm that
    assert believed(clock) == START + 3700
    assert not clock.is_doubted


def test_a_confirmed_jump_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.jump(40 * DAY)
    assert believed(clock) == START
    clock.confirm()
    assert (believed(clock), clock.is_doubted) == (START + 40 * DAY, False)


def test_a_suspended_machine_and_a_clock_that_is_slewed_are_no_jumps() -> None:
    machine, chance = Machine(), Random(7)
    clock = machine.clock()
    machine.run(9 * DAY)  # both clocks count while the machine is suspended
    assert (believed(clock), clock.is_doubted) == (START + 9 * DAY, False)
    for _ in range(500):  # NTP slews by at most 500 ppm; here, each time by up to two minutes
        machine.run(600 + chance.uniform(-120, 120), 600)
        assert abs(believed(clock) - machine.reading.wall) < 0.001
    assert not clock.is_doubted


@pytest.mark.parametrize("days", [0, 1, 31, 34.9])
def test_a_machine_that_was_off_for_a_month_is_believed(days: float) -> None:
    machine = Machine()
    known = machine.clock().look()
    machine.off(days * DAY)
    clock = machine.clock(known)
    assert (believed(clock), clock.is_doubted) == (START + days * DAY, False)


@pytest.mark.parametrize("days", [-3650, -40, -0.01, 35.1, 40])
def test_between_two_starts_of_the_machine_an_impossible_time_is_not_believed(days: float) -> None:
    machine = Machine()
    known = machine.clock().look()
    machine.off(days * DAY)
    clock = machine.clock(known)
    assert (believed(clock), clock.is_doubted) == (START, True)
    machine.run(60)
    assert believed(clock) == START + 60


@pytest.mark.parametrize("days", [-40, 40])
def test_between_two_runs_of_the_server_the_boot_clock_tells_the_true_time(days: float) -> None:
    machine = Machine()
    known = machine.clock().look()
    machine.run(50 * DAY)  # the server was stopped for longer than the machine may be off
    assert believed(machine.clock(known)) == START + 50 * DAY
    machine.jump(days * DAY)
    clock = machine.clock(known)
    assert (believed(clock), clock.is_doubted) == (START + 50 * DAY, True)
    again = machine.clock(clock.look())  # a restart does not make it any more believable
    assert (believed(again), again.is_doubted) == (START + 50 * DAY, True)


def test_without_an_earlier_run_the_ledger_says_what_has_passed() -> None:
    machine = Machine()
    assert not machine.clock(at_least=START - 60 * DAY).is_doubted  # a restored backup
    clock = machine.clock(at_least=START + 3650 * DAY)  # ten years back
    assert (believed(clock), clock.is_doubted) == (START + 3650 * DAY, True)


@pytest.mark.parametrize("boot_id", ["first", ""])
def test_a_confirmation_holds_for_the_clock_that_was_confirmed(boot_id: str) -> None:
    machine = Machine(Reading(START, 5_000.0, boot_id))
    clock = machine.clock()
    machine.jump(40 * DAY)
    confirmed = machine.read()
    machine.run(30)
    machine.jump(10 * DAY)
    assert not clock.confirmed_at(confirmed)
    assert clock.now().timestamp() == START + 30
    machine.jump(-10 * DAY)
    assert clock.confirmed_at(confirmed)
    assert believed(clock) == START + 40 * DAY + 30


def test_a_second_source_has_to_agree_for_ten_minutes() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.jump(40 * DAY)
    assert not clock.hear(machine.reading.wall)
    machine.run(AGREEMENT_SECONDS - 1)
    assert not clock.hear(machine.reading.wall + JUMP)
    assert clock.look().wall < START + DAY
    machine.run(1)
    assert clock.hear(machine.reading.wall)
    assert believed(clock) == START + 40 * DAY + AGREEMENT_SECONDS


@pytest.mark.parametrize("broken_by", ["silence", "disagreement", "another jump"])
def test_an_agreement_that_is_broken_begins_anew(broken_by: str) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.jump(40 * DAY)
    assert not clock.hear(machine.reading.wall)
    machine.run(AGREEMENT_SECONDS / 2)
    if broken_by == "another jump":
        machine.jump(DAY)
    else:
        assert not clock.hear(None if broken_by == "silence" else machine.reading.wall - DAY)
    machine.run(AGREEMENT_SECONDS / 2)
    assert not clock.hear(machine.reading.wall)
    machine.run(AGREEMENT_SECONDS)
    assert clock.hear(machine.reading.wall)


def test_a_child_follows_what_its_parent_believes() -> None:
    machine, last = Machine(), list[Reading]()
    clock = machine.clock()
    child = FollowingClock(machine.read, lambda: last[-1] if last else None)
    machine.run(10)
    assert child.now() == clock.now()  # before the parent has written anything
    machine.jump(40 * DAY)
    last.append(clock.look())
    machine.run(10)
    assert child.now() == clock.now()
    assert child.now().timestamp() == START + 20
