"""The ledger's one rule book: a pure function from state, command and instant to outcome and effects.

No clock, no I/O, no chance: the same commands at the same instants give the same effects, and the effects alone
change the state. So the journal, which keeps effects, tells everything.
"""

from collections.abc import Callable
from typing import Any, Final

from kswifi.ledger import commands as do
from kswifi.ledger import control, spending
from kswifi.ledger import effects as fx
from kswifi.ledger.answers import due
from kswifi.ledger.commands import Command, Outcome
from kswifi.ledger.state import LedgerState
from kswifi.ledger.work import Work, answered_before

__all__ = ["apply", "forget_due"]


def apply(state: LedgerState, command: Command, at: int) -> tuple[Outcome, tuple[fx.Effect, ...]]:
    """Apply a command at an instant (Unix seconds): its outcome, and what happened.

    A command that was done before has its outcome of then, and no effects. A refusal has no effects either.
    """
    verb = _SPENDING.get(type(command))
    work = Work(state, at)
    if verb is None:
        packed = state.answers.get(command.command_id)
        if packed is not None:
            return answered_before(packed, command), ()
        verb = _CONTROL[type(command)]
    outcome = verb(work, command)
    return outcome, tuple(work.effects)


def forget_due(state: LedgerState, at: int) -> tuple[fx.Effect, ...]:
    """Forget what has been remembered long enough, a bounded part of it; called once a batch."""
    work = Work(state, at)
    for is_reservation, identifier in due(state, at):
        if is_reservation:
            work.emit(fx.ReservationForgotten(identifier, at))
        else:
            work.emit(fx.AnswerForgotten(identifier, at))
    return tuple(work.effects)


_Verb = Callable[[Work, Any], Outcome]

_SPENDING: Final[dict[type, _Verb]] = {
    do.Reserve: spending.reserve,
    do.Admit: spending.admit,
    do.Commit: spending.commit,
    do.Release: spending.release,
}

_CONTROL: Final[dict[type, _Verb]] = {
    do.OpenWallet: control.open_wallet,
    do.Credit: control.credit,
    do.Disburse: control.disburse,
    do.ProveStorage: control.prove_storage,
    do.HoldWallet: control.hold_wallet,
    do.LiftHold: control.lift_hold,
    do.OrderWallet: control.order_wallet,
    do.ContinueWithNext: control.continue_with_next,
    do.Freeze: control.freeze,
    do.Transfer: control.transfer,
    do.Refund: control.refund,
    do.Expire: control.expire,
    do.Revoke: control.revoke,
    do.Close: control.close,
}
