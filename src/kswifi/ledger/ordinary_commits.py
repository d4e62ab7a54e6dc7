"""The commits that most requests are, applied at once: the same outcome, effects and state as the rules give.

Nine of ten commits report usage that the account pays for in full, and then reserve anew or close. The rules in
``usage_commands`` take them apart into a dozen calls, and dispatch and apply each effect by itself. Here one
function does all of it in about half the time (ADR 36), so it repeats what the rules and ``apply_effects`` say.

A function returns None with nothing changed for everything that is less plain: repetitions, overruns, the last
octets, holds, day limits, uncapped accounts, a change of the account. Then the rules decide.
``test_ordinary_commits`` gives both ways the same commands and compares outcomes, effects and states.
"""

from heapq import heappush

from kswifi.ledger import effects as fx
from kswifi.ledger.answers import ANSWERS_PER_RESERVATION, Answer, pack
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import NO_ACCOUNT, Ask, Commit, Outcome, OutcomeCode
from kswifi.ledger.grants import is_final, is_shared
from kswifi.ledger.state import Account, AccountStatus, Reservation, key_within


def commit_ordinary(work: Work, command: Commit) -> Outcome | None:
    """Apply a commit if it is ordinary; None with nothing changed if the rules must decide."""
    reservation = work.state.reservations.get(command.reservation_id)
    if reservation is None or command.close is (command.ask is not None):
        return None
    return book(work, reservation, command.command_id, command.used_octets, command.ask, command.note)


def book(
    work: Work, reservation: Reservation, command_id: str, used: int, ask: Ask | None, note: str
) -> Outcome | None:
    """Book usage on a reservation, then reserve anew by ``ask``, or close it if that is None.

    Args:
        work: the state, which is changed, and the effects, to which those of the commit are added.
        reservation: a reservation of the state.
        command_id: the id of the commit.
        used: the octets reported.
        ask: how much to reserve anew.
        note: details of the usage, for the journal.

    Returns:
        The outcome; None with nothing changed if the rules must decide.
    """
    key = key_within(reservation.reservation_id, command_id)
    if reservation.closed or reservation.account_id == NO_ACCOUNT or key in reservation.answers:
        return None
    held = reservation.reserved
    account = work.state.accounts[reservation.account_id]
    available = account.available + held - used
    if account.wallet_id in work.state.day_limits:
        return None
    if account.uncapped or account.status is not AccountStatus.OPEN or available < 0 or not (used or held):
        return None
    if ask is not None:
        outcome = _renew(work, reservation, account, used, ask, note)
        if outcome is None:
            return None
    elif available or account.reserved > held or account.withheld:
        outcome = _close(work, reservation, account, used, note)
    else:
        return None  # the last octets: the account is exhausted
    answer = pack(Answer(used << 2 | (2 if ask is None else 1), 0, outcome))
    work.effects.append(fx.Answered(reservation.reservation_id, command_id, answer, 0, work.at))
    answers = reservation.answers
    answers[key] = answer
    if len(answers) > ANSWERS_PER_RESERVATION:
        del answers[next(iter(answers))]
    return outcome


def _renew(
    work: Work, reservation: Reservation, account: Account, used: int, ask: Ask, note: str
) -> Outcome | None:
    """Book the usage and reserve anew from the same account; None if another account or none would grant."""
    state, at = work.state, work.at
    wallet = state.wallets[reservation.wallet_id]
    account_id, held = account.account_id, reservation.reserved
    available = account.available + held - used
    if available == 0 or not account.storage_proof or at >= account.expires_at:
        return None
    if wallet.frozen or wallet.hold is not None:
        return None
    if wallet.active_account_id != account_id and (wallet.active_account_id is not None or not used):
        return None  # the grant would come from the active account, or from the first in order
    if available <= ask.whole_up_to_octets:
        octets = available
    else:
        octets = min(available, ask.amount_octets if ask.may_shrink else max(ask.amount_octets, held - used))
    _note_usage(work, reservation, account, used, note)
    if used:
        wallet.active_account_id = account_id
    work.effects.append(fx.Reserved(reservation.reservation_id, account_id, octets, ask.expires_at, at))
    account.reserved += octets - held
    account.available = available - octets
    reservation.reserved = octets
    reservation.expires_at = ask.expires_at
    if not 0 < reservation.watched_at <= ask.expires_at:
        state.watch(reservation)
    shared = len(wallet.reservation_ids) > 1 and is_shared(state, wallet, reservation.reservation_id)
    final = not shared and account.available == 0 and is_final(state, wallet, account, at)
    return Outcome(OutcomeCode.DONE, octets, final, account_id, 0, used, shared)


def _close(work: Work, reservation: Reservation, account: Account, used: int, note: str) -> Outcome:
    """Book the usage and close the reservation."""
    state = work.state
    wallet = state.wallets[reservation.wallet_id]
    account_id, reservation_id, held = account.account_id, reservation.reservation_id, reservation.reserved
    forget_at = work.at + state.retention.closed_seconds
    _note_usage(work, reservation, account, used, note)
    if used and wallet.active_account_id is None:
        wallet.active_account_id = account_id
    work.effects.append(fx.ReservationClosed(reservation_id, account_id, False, forget_at, work.at, note))
    account.reserved -= held
    account.available += held - used
    reservation.reserved = 0
    reservation.closed = True
    reservation.forget_at = forget_at
    wallet.reservation_ids = tuple([it for it in wallet.reservation_ids if it != reservation_id])
    heappush(state.forgettable, (forget_at, True, reservation_id))
    return Outcome(OutcomeCode.DONE, 0, False, account_id, 0, used)


def _note_usage(work: Work, reservation: Reservation, account: Account, used: int, note: str) -> None:
    """Add the effect of the usage; count what the account has used, and when first."""
    first, held = used > 0 and not account.first_used_at, reservation.reserved
    work.effects.append(
        fx.Committed(reservation.reservation_id, account.account_id, used, held, first, work.at, note)
    )
    account.used += used
    if first:
        account.first_used_at = work.at
