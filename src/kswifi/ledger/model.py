"""The ledger's rules: a pure function of state, command and instant that returns an outcome and effects.

It uses no clock, no I/O and no randomness: the same commands at the same instants give the same effects, and
only effects change the state. The journal keeps the effects, so replaying it rebuilds the state.
"""

from collections.abc import Callable
from typing import Any, Final

from kswifi.ledger import account_commands, hold_commands, ordinary_commits, provider_usage, usage_commands
from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.answers import due
from kswifi.ledger.command_context import Work, answered_before
from kswifi.ledger.commands import Command, Outcome
from kswifi.ledger.state import LedgerState, key_within

__all__ = ["apply", "apply_by_rules", "forget_due", "stored_outcome"]


def apply(state: LedgerState, command: Command, at: int) -> tuple[Outcome, tuple[fx.Effect, ...]]:
    """Apply a command at an instant (Unix seconds); return its outcome and its effects.

    Idempotent: a command that was done before returns its stored outcome without effects. A refusal has no effects
    either, unless it is stored itself (a ``Refund``, ``Send`` or ``Receive``, a ``Reserve`` with ``admit``).
    """
    if type(command) is do.Commit:
        work = Work(state, at)
        outcome = ordinary_commits.commit_ordinary(work, command)
        if outcome is not None:
            return outcome, tuple(work.effects)
    return apply_by_rules(state, command, at)


def apply_by_rules(state: LedgerState, command: Command, at: int) -> tuple[Outcome, tuple[fx.Effect, ...]]:
    """Apply a command as ``apply`` does, without the shorter way for ordinary commits."""
    verb = _SPENDING.get(type(command))
    work = Work(state, at)
    if verb is None:
        packed = state.answers.get(command.command_id)
        if packed is not None:
            return answered_before(packed, command), ()
        verb = _CONTROL[type(command)]
    outcome = verb(work, command)
    return outcome, tuple(work.effects)


def stored_outcome(state: LedgerState, command: Command) -> Outcome | None:
    """Return the outcome that was stored when this command was applied before; None if there is none."""
    if isinstance(command, do.Reserve | do.Admit | do.Commit | do.Release):
        reservation = state.reservations.get(command.reservation_id)
        key = key_within(command.reservation_id, command.command_id)
        packed = None if reservation is None else reservation.answers.get(key)
    else:
        packed = state.answers.get(command.command_id)
    return None if packed is None else answered_before(packed, command)


def forget_due(state: LedgerState, at: int) -> tuple[fx.Effect, ...]:
    """Forget closed reservations and stored answers whose retention is over, at most ``FORGET_AT_ONCE`` a batch.

    Args:
        state: the state, which the effects change.
        at: the instant of the batch in Unix seconds.
    """
    work = Work(state, at)
    for is_reservation, identifier in due(state, at):
        if is_reservation:
            work.emit(fx.ReservationForgotten(identifier, at))
        else:
            work.emit(fx.AnswerForgotten(identifier, at))
    return tuple(work.effects)


_Verb = Callable[[Work, Any], Outcome]

_SPENDING: Final[dict[type, _Verb]] = {
    do.Reserve: usage_commands.reserve,
    do.Admit: usage_commands.admit,
    do.Commit: usage_commands.commit,
    do.Release: usage_commands.release,
}

_CONTROL: Final[dict[type, _Verb]] = {
    do.OpenWallet: account_commands.open_wallet,
    do.Credit: account_commands.credit,
    do.Disburse: account_commands.disburse,
    do.ProveStorage: account_commands.prove_storage,
    do.HoldWallet: hold_commands.hold_wallet,
    do.PauseUntil: hold_commands.pause_until,
    do.EndHold: hold_commands.end_hold,
    do.LiftHold: hold_commands.lift_hold,
    do.LimitDay: hold_commands.limit_day,
    do.LiftLimit: hold_commands.lift_limit,
    do.OrderWallet: account_commands.order_wallet,
    do.ContinueWithNext: account_commands.continue_with_next,
    do.Freeze: account_commands.freeze,
    do.Send: account_commands.send,
    do.Receive: account_commands.receive,
    do.Refund: account_commands.refund,
    do.ReportUsage: provider_usage.report_usage,
    do.Expire: account_commands.expire,
    do.Revoke: account_commands.revoke,
    do.Close: account_commands.close,
}
