"""Requests and what they are answered: grants, refusals, groups of units, replays and overload."""

import pytest
from msgspec.structs import force_setattr

from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import FinalUnitAction
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import ContinueWithNext, Disburse, Freeze, HoldWallet, LiftHold
from tests.support.charging import (
    GATEWAY,
    INITIAL,
    TERMINATION,
    UPDATE,
    WALLET,
    Charging,
    charging_sessions_of,
    granted,
    request,
    units,
)

MB = 1_000_000


def test_grants_follow_the_rate_between_the_limits() -> None:
    charging = Charging()
    charging.credit("a", 10_000 * MB)
    assert granted(charging.ask(request(INITIAL, 0, units()))) == MB
    reports = [
        (1, MB, 10 * MB),  # 1 MB/s for ten seconds
        (10, 6 * MB, 6 * MB),  # 0.6 MB/s
        (100, 6 * MB, MB),  # a trickle: never less than the least grant
        (0.01, MB, 10 * MB),  # a flood: never more than the cap
        (100, 3 * MB, 7 * MB),  # a trickle, but never less than the rest of the grant before
    ]
    for number, (seconds, used, expected) in enumerate(reports, start=1):
        charging.pass_seconds(seconds)
        answer = charging.ask(request(UPDATE, number, units(used)))
        assert granted(answer) == expected
        assert answer.services[0].validity_seconds == 600
        assert answer.services[0].final_unit is None


def test_replay_says_nothing_about_the_rate() -> None:
    charging = Charging()
    charging.credit("a", 10_000 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.pass_seconds(0.01)
    charging.ask(request(UPDATE, 1, units(MB)))
    charging.pass_seconds(99)
    charging.ask(request(UPDATE, 1, units(MB)))
    charging.pass_seconds(1)
    assert granted(charging.ask(request(UPDATE, 2, units(7 * MB)))) == 3 * MB


def test_last_octet_is_spent_and_nothing_leaks() -> None:
    charging = Charging()
    charging.credit("a", 12 * MB)
    answer = charging.ask(request(INITIAL, 0, units()))
    assert (granted(answer), answer.services[0].final_unit) == (MB, None)
    charging.pass_seconds(0.01)
    answer = charging.ask(request(UPDATE, 1, units(MB)))
    assert granted(answer) == 10 * MB
    answer = charging.ask(request(UPDATE, 2, units(10 * MB)))
    assert granted(answer) == MB
    assert answer.services[0].final_unit is not None
    assert answer.services[0].final_unit.action is FinalUnitAction.TERMINATE
    assert charging.ask(request(TERMINATION, 3, units(MB, wants=False))).result_code == 2001
    assert charging.balances("a") == (12 * MB, 0, 0)
    assert charging_sessions_of(charging.service, WALLET) == []


def test_termination_with_zero_usage_or_without_groups_leaks_nothing() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units(), session="one"))
    charging.ask(request(INITIAL, 0, units(group=1), units(group=2), session="two", charging_id=None))
    assert charging.balances("a")[1] == 3 * MB
    answer = charging.ask(request(TERMINATION, 1, units(0, wants=False), session="one"))
    assert (answer.result_code, len(answer.services)) == (2001, 1)
    answer = charging.ask(request(TERMINATION, 1, session="two"))
    assert (answer.result_code, answer.services) == (2001, ())
    assert charging.balances("a") == (0, 0, 50 * MB)


def test_refusals_are_at_command_level() -> None:
    charging = Charging()
    assert charging.ask(request(INITIAL, 0, units(), imsi="001019999999999")).result_code == 5030
    assert charging.ask(request(INITIAL, 0, units())).result_code == 4012
    charging.credit("a", MB, proven=False)
    assert charging.ask(request(INITIAL, 0, units(), session="s;2")).result_code == 4012
    charging.credit("b", MB)
    charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    refused = charging.ask(request(INITIAL, 0, units(), session="s;3"))
    assert (refused.result_code, refused.services) == (4012, ())
    charging.ledger.do(Freeze("freeze", WALLET, True))
    assert charging.ask(request(INITIAL, 0, units(), session="s;4")).result_code == 4010
    assert charging.ask(request(INITIAL, 0, units(), session="s;5", host=GATEWAY)).result_code == 4010
    charging.ledger.do(Freeze("thaw", WALLET, False))
    charging.ledger.do(LiftHold("lift", WALLET))
    late = [charging.ask(request(INITIAL, 0, units(), session=f"s;{number}")).result_code for number in range(1, 5)]
    assert late == [4012, 4012, 4012, 4010]  # a late copy of what was refused opens nothing
    assert charging.ask(request(UPDATE, 1, units(0))).result_code == 5002
    assert charging.ask(request(UPDATE, 2)).result_code == 5002
    assert charging.ask(request(UPDATE, 1, units(0), session="never")).result_code == 5002
    assert charging.ask(request(UPDATE, 2, session="never")).result_code == 5002
    assert charging.ask(request(TERMINATION, 1, units(0, wants=False), session="never")).result_code == 5002
    assert list(charging.ledger.state.open_reservations()) == []
    assert charging.service.open_sessions == 0


def test_pause_in_the_middle_books_usage_and_refuses_more() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.ledger.do(HoldWallet("hold", WALLET, "paused"))
    assert charging.ask(request(UPDATE, 1, units(400_000))).result_code == 4012
    assert charging.balances("a") == (400_000, 0, 50 * MB - 400_000)
    charging.ask(request(TERMINATION, 2, units(7, wants=False)))
    assert charging.balances("a") == (400_007, 0, 50 * MB - 400_007)


def test_continue_with_next_is_not_final() -> None:
    charging = Charging()
    charging.credit("a", 3 * MB)
    charging.credit("b", 2 * MB, days=31)
    charging.ledger.do(ContinueWithNext("next", WALLET, True))
    answer = charging.ask(request(INITIAL, 0, units()))
    assert (granted(answer), answer.services[0].final_unit) == (3 * MB, None)
    answer = charging.ask(request(UPDATE, 1, units(3 * MB)))
    assert granted(answer) == 2 * MB
    assert answer.services[0].final_unit is not None


def test_uncapped_account_is_never_final() -> None:
    charging = Charging()
    charging.credit("pass", None)
    charging.ask(request(INITIAL, 0, units()))
    for number in range(1, 5):
        charging.pass_seconds(0.05)
        answer = charging.ask(request(UPDATE, number, units(MB if number == 1 else 10 * MB)))
        assert (granted(answer), answer.services[0].final_unit) == (10 * MB, None)
    charging.ask(request(TERMINATION, 5, units(3, wants=False)))
    assert charging.balances("pass") == (31 * MB + 3, 0, 0)


def test_several_groups_are_answered_each() -> None:
    charging = Charging()
    charging.credit("a", 100 * MB)
    opened = charging.ask(request(INITIAL, 0, indicator=1))
    assert (opened.result_code, opened.services, opened.direct) == (2001, (), None)
    answer = charging.ask(request(UPDATE, 1, units(group=10), units(group=20)))
    assert [(it.rating_group, it.granted) for it in answer.services] == [
        (10, ServiceUnit(cc_total_octets=MB)),
        (20, ServiceUnit(cc_total_octets=MB)),
    ]
    replayed = charging.ask(request(UPDATE, 1, units(group=10), units(group=20)))
    assert replayed == answer
    answer = charging.ask(
        request(UPDATE, 2, units(5, wants=False, group=10), units(7, group=20), units(9, group=30))
    )
    assert [(it.rating_group, it.granted is not None, it.result_code) for it in answer.services] == [
        (10, False, 2001),
        (20, True, 2001),
        (30, True, 2001),
    ]
    assert charging.balances("a")[0] == 21
    assert charging.ask(
        request(UPDATE, 2, units(5, wants=False, group=10), units(7, group=20), units(9, group=30))
    ) == (answer)
    assert charging.balances("a")[0] == 21
    answer = charging.ask(request(TERMINATION, 3, units(1, wants=False, group=20)))
    assert [(it.rating_group, it.result_code) for it in answer.services] == [(20, 2001)]
    assert charging.balances("a") == (22, 0, 100 * MB - 22)


def test_some_groups_refused_have_their_own_results() -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    answer = charging.ask(request(INITIAL, 0, units(group=1), units(group=2)))
    assert answer.result_code == 2001
    assert [it.result_code for it in answer.services] == [2001, 4012]
    assert answer.services[1].granted is None


def test_groups_that_contradict_are_refused_before_anything_happens() -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    for services in ([units(), units()], [units(group=1)] * 2, [units(group=number) for number in range(40)]):
        with pytest.raises(DiameterError) as caught:
            charging.send(request(INITIAL, 0, *services))
        assert caught.value.result_code == 5009
    assert charging.balances("a") == (0, 0, 5 * MB)


def test_units_in_the_message_itself_are_answered_there() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    answer = charging.ask(request(INITIAL, 0))
    assert answer.services == ()
    assert answer.direct is not None
    assert answer.direct.granted == ServiceUnit(cc_total_octets=MB)
    assert answer.direct.result_code is None
    answer = charging.ask(request(UPDATE, 1, direct=units(MB)))
    assert answer.direct is not None
    assert answer.direct.granted is not None
    charging.ask(request(TERMINATION, 2, direct=units(3, wants=False)))
    assert charging.balances("a") == (MB + 3, 0, 49 * MB - 3)


def test_service_identifiers_tell_groups_apart() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    groups = [ServiceCreditControl(service_identifiers=(it,), requested=ServiceUnit()) for it in (1, 2)]
    answer = charging.ask(request(INITIAL, 0, *groups))
    assert [it.service_identifiers for it in answer.services] == [(1,), (2,)]
    assert charging.balances("a")[1] == 2 * MB


def test_reporting_only_gets_no_grant_and_keeps_the_session() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.pass_seconds(60)
    answer = charging.ask(request(UPDATE, 1, units(300, wants=False)))
    assert granted(answer) is None
    assert charging.balances("a") == (300, 0, 50 * MB - 300)
    assert charging.ask(request(UPDATE, 2)).result_code == 2001
    assert granted(charging.ask(request(UPDATE, 3, units(0)))) == MB


def test_replay_under_way_and_after_the_end() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    update = request(UPDATE, 1, units(MB))
    first, second = charging.send(update), charging.send(update)
    assert first == second == []
    charging.ledger.flush()
    assert first == second
    assert granted(first[0]) == 10 * MB
    charging.ask(request(TERMINATION, 2, units(MB, wants=False)))
    assert charging.ask(update) == first[0]
    assert charging.service.open_sessions == 0  # an old answer opens nothing anew
    assert charging.ask(request(INITIAL, 0, units())).result_code == 2001
    assert charging.ask(request(TERMINATION, 2, units(MB, wants=False))).result_code == 2001
    assert charging.balances("a") == (2 * MB, 0, 48 * MB)
    assert charging.service.open_sessions == 0


def test_number_used_for_something_else_is_refused() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.ask(request(UPDATE, 1, units(MB)))
    assert charging.ask(request(UPDATE, 1, units(5))).result_code == 5012
    assert charging.ask(request(UPDATE, 1, units(0))).result_code == 5012
    assert charging.balances("a")[0] == MB


def test_busy_ledger_turns_away_before_it_answers_anything_else() -> None:
    charging = Charging()
    charging.credit("a", 50 * MB)
    charging.ledger.busy_after = 1
    both = request(INITIAL, 0, units(group=1), units(group=2))
    with pytest.raises(DiameterError) as caught:
        charging.send(both)
    assert caught.value.result_code == 3004
    assert charging.balances("a") == (0, 0, 50 * MB)  # not even its first group was applied
    charging.ledger.busy_after = None
    assert len(charging.ask(both).services) == 2
    assert charging.balances("a")[1] == 2 * MB
    charging.ledger.busy_after = 1
    late = charging.send(request(UPDATE, 1, units(group=3)))
    charging.ledger.flush()
    assert [it.result_code for it in late] == [3004]
    charging.ledger.busy_after = None
    assert granted(charging.ask(request(UPDATE, 1, units(group=3)))) == MB


def test_overload_turns_initials_away_first() -> None:
    charging = Charging(ChargingPolicy(max_waiting_before_initials=2))
    charging.credit("a", 50 * MB)
    charging.ask(request(INITIAL, 0, units()))
    first, second = charging.send(request(UPDATE, 1, units(1))), charging.send(request(UPDATE, 2, units(2)))
    with pytest.raises(DiameterError) as caught:
        charging.send(request(INITIAL, 0, units(), session="late"))
    assert caught.value.result_code == 3004
    third = charging.send(request(UPDATE, 3, units(4)))
    charging.ledger.flush()
    assert [len(first), len(second), len(third)] == [1, 1, 1]
    assert charging.balances("a")[0] == 7
    assert granted(charging.ask(request(INITIAL, 0, units(), session="late"))) == MB


def test_usage_beyond_everything_is_overrun_and_never_lost() -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    charging.ask(request(INITIAL, 0, units()))
    charging.ask(request(TERMINATION, 1, units(6 * MB, wants=False)))
    assert charging.balances("a") == (5 * MB, 0, 0)
    assert charging.service.counters.overrun_octets == MB


@pytest.mark.parametrize("used", [2**63, 2**44 + 1])
def test_absurd_usage_is_refused(used: int) -> None:
    charging = Charging()
    charging.credit("a", 5 * MB)
    charging.ask(request(INITIAL, 0, units()))
    with pytest.raises(DiameterError) as caught:
        charging.send(request(UPDATE, 1, units(used)))
    assert caught.value.result_code == 5004
    assert charging.balances("a") == (0, 5 * MB, 0)


def test_another_kind_of_service_is_refused() -> None:
    charging = Charging()
    message = request(INITIAL, 0, units())
    force_setattr(message, "service_context_id", "32260@3gpp.org")
    with pytest.raises(DiameterError) as caught:
        charging.send(message)
    assert caught.value.result_code == 5031
    assert caught.value.failed_avp


@pytest.mark.parametrize("restricts", [False, True])
def test_the_end_of_a_tranche_is_neither_final_nor_a_cut(restricts: bool) -> None:
    charging, host = Charging(), GATEWAY if restricts else "smf.localdomain"
    charging.credit("a", 30 * MB, withheld=20 * MB)
    answer = charging.ask(request(INITIAL, 0, units(), host=host))
    assert (granted(answer), answer.services[0].final_unit) == (10 * MB, None)  # all of the tranche, and not final
    answer = charging.ask(request(UPDATE, 1, units(10 * MB), host=host))  # the next tranche comes too late
    assert not answer.grants
    assert answer.restricts is restricts
    assert charging.ledger.state.wallets[WALLET].hold is None
    charging.ledger.do(Disburse("more", "a", 20 * MB))
    answer = charging.ask(request(INITIAL, 0, units(), host=host, session="later"))
    assert (granted(answer), answer.is_final) == (10 * MB, False)
    charging.ledger.do(Disburse("last", "a", 30 * MB))  # in time
    answer = charging.ask(request(UPDATE, 1, units(10 * MB), host=host, session="later"))
    assert (granted(answer), answer.is_final) == (10 * MB, True)
