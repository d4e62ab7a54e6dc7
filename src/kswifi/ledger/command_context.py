"""The context of one command while it is applied: the state it reads and the effects it makes."""

from typing import Final

from kswifi.ledger import effects as fx
from kswifi.ledger.answers import Answer, pack, unpack
from kswifi.ledger.apply_effects import replay
from kswifi.ledger.commands import Command, Outcome, OutcomeCode, fingerprint
from kswifi.ledger.state import Account, AccountStatus, LedgerState

CONFLICT: Final = Outcome(OutcomeCode.CONFLICT)
DONE: Final = Outcome(OutcomeCode.DONE)


class Work:
    """Collects the effects of one command. Each effect is applied to the state at once."""

    __slots__ = ("at", "effects", "state")

    def __init__(self, state: LedgerState, at: int) -> None:
        self.state = state
        self.at = at
        self.effects: list[fx.Effect] = []

    def emit(self, effect: fx.Effect) -> None:
        """Record an effect and apply it to the state."""
        self.effects.append(effect)
        replay(self.state, effect)

    def answer_within(self, reservation_id: str, command: Command, outcome: Outcome) -> Outcome:
        """Store the outcome with its reservation, and return it."""
        answer = pack(Answer(fingerprint(command), 0, outcome))
        self.emit(fx.Answered(reservation_id, command.command_id, answer, 0, self.at))
        return outcome

    def answer(self, command: Command, outcome: Outcome, seconds: int) -> Outcome:
        """Store the outcome of a command without a reservation for ``seconds``, and return it."""
        forget_at = self.at + seconds
        answer = pack(Answer(fingerprint(command), forget_at, outcome))
        self.emit(fx.Answered(None, command.command_id, answer, forget_at, self.at))
        return outcome

    def lapse(self, account: Account, octets: int) -> None:
        """Move octets that came back to an expired or revoked account to ``expired`` or ``revoked``."""
        if octets and account.status is AccountStatus.EXPIRED:
            self.emit(fx.Expired(account.account_id, account.wallet_id, octets, self.at))
        elif octets and account.status is AccountStatus.REVOKED:
            self.emit(fx.Revoked(account.account_id, account.wallet_id, octets, "", self.at))


def answered_before(packed: bytes, command: Command) -> Outcome:
    """Return the stored outcome; CONFLICT if its id was used for a different command."""
    answer = unpack(packed)
    return answer.outcome if answer.fingerprint == fingerprint(command) else CONFLICT
