"""Commands of the charging path: reserve, admit, commit, release.

A reservation goes through: reserved or admitted; committed any number of times, each with a new grant; closed by
its client or settled by a supervisor. A closed one stays for a while as a tombstone: it answers replays and takes
usage that is reported late.
"""

from kswifi.ledger import effects as fx
from kswifi.ledger.command_context import CONFLICT, DONE, Work, answered_before
from kswifi.ledger.commands import (
    NO_ACCOUNT,
    NOBODY,
    Admit,
    Ask,
    Commit,
    Outcome,
    OutcomeCode,
    Release,
    Reserve,
)
from kswifi.ledger.grants import RESERVATIONS_PER_WALLET, account_for_late, grant, is_final, is_shared
from kswifi.ledger.hold_commands import hold_if_reached
from kswifi.ledger.state import Account, AccountStatus, Reservation, key_within, reasons_of


def reserve(work: Work, command: Reserve) -> Outcome:
    """Open a reservation with a grant, or replace what an open one holds.

    UNKNOWN_RESERVATION if the reservation is closed; CONFLICT if it belongs to another wallet.
    """
    reservation = work.state.reservations.get(command.reservation_id)
    if reservation is None:
        return _begin(work, command)
    if reservation.wallet_id != command.wallet_id:
        return CONFLICT
    if (kept := _kept(reservation, command)) is not None:
        return kept
    if reservation.closed:
        return Outcome(OutcomeCode.UNKNOWN_RESERVATION)
    _book(work, reservation, _account_of(work, reservation), 0)
    outcome = _renew(work, reservation, command.ask, reservation.account_id)
    return work.answer_within(command.reservation_id, command, outcome)


def admit(work: Work, command: Admit) -> Outcome:
    """Open a reservation without octets; an existing one of the same wallet stays as it is."""
    state, reservation_id = work.state, command.reservation_id
    reservation = state.reservations.get(reservation_id)
    if reservation is not None:
        return _admit_again(work, reservation, command)
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        if command.wallet_id != NOBODY:
            return Outcome(OutcomeCode.UNKNOWN_WALLET)
        work.emit(fx.WalletOpened(NOBODY, NOBODY, work.at))
    elif len(wallet.reservation_ids) >= RESERVATIONS_PER_WALLET and not command.over:
        return Outcome(OutcomeCode.TOO_MANY)
    work.emit(fx.Admitted(reservation_id, command.wallet_id, command.expires_at, work.at, command.note))
    if command.over:
        seconds, why = state.retention.settled_seconds, command.closing_note
        _close(work, state.reservations[reservation_id], seconds, why, settled=True)
    return work.answer_within(reservation_id, command, DONE)


def _admit_again(work: Work, reservation: Reservation, command: Admit) -> Outcome:
    if reservation.wallet_id != command.wallet_id:
        return CONFLICT
    if (kept := _kept(reservation, command)) is not None:
        return kept
    if reservation.closed:
        return DONE if command.over else Outcome(OutcomeCode.UNKNOWN_RESERVATION)
    return work.answer_within(reservation.reservation_id, command, DONE)


def commit(work: Work, command: Commit) -> Outcome:
    """Book usage, and reserve anew or close.

    Usage is never refused: a closed reservation takes it as long as it is remembered. An ask on a closed one is
    refused with ``unknown_reservation``.
    """
    reservation = work.state.reservations.get(command.reservation_id)
    if reservation is None:
        return Outcome(OutcomeCode.UNKNOWN_RESERVATION)
    if (kept := _kept(reservation, command)) is not None:
        return kept
    account, used = _account_of(work, reservation), command.used_octets
    account_id = NO_ACCOUNT if account is None else account.account_id
    committed, rest, ran_out = _book(work, reservation, account, used, command.note)
    if command.ask is not None and not reservation.closed:
        outcome = _renew(work, reservation, command.ask, account_id, rest, used, committed, ran_out)
    else:
        code = OutcomeCode.DONE if command.ask is None else OutcomeCode.UNKNOWN_RESERVATION
        outcome = Outcome(code, 0, False, account_id, used - committed, committed)
    if command.close and not reservation.closed:
        _close(work, reservation, work.state.retention.closed_seconds, command.note, settled=False)
    return work.answer_within(command.reservation_id, command, outcome)


def release(work: Work, command: Release) -> Outcome:
    """Give back what a reservation holds and close it; as a tombstone it still takes late usage."""
    reservation = work.state.reservations.get(command.reservation_id)
    if reservation is None:
        return Outcome(OutcomeCode.UNKNOWN_RESERVATION)
    if (kept := _kept(reservation, command)) is not None:
        return kept
    if reservation.closed:
        return DONE
    held = reservation.reserved
    if held:
        account = work.state.accounts[reservation.account_id]
        work.emit(fx.Released(reservation.reservation_id, account.account_id, held, work.at))
        work.lapse(account, 0 if account.uncapped else held)
    _close(work, reservation, work.state.retention.settled_seconds, command.note, settled=True)
    outcome = Outcome(OutcomeCode.DONE, account_id=reservation.account_id)
    return work.answer_within(reservation.reservation_id, command, outcome)


def _begin(work: Work, command: Reserve) -> Outcome:
    state = work.state
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        return Outcome(OutcomeCode.UNKNOWN_WALLET)
    if len(wallet.reservation_ids) >= RESERVATIONS_PER_WALLET:
        return Outcome(OutcomeCode.TOO_MANY)
    code, account, octets = grant(work, wallet, command.reservation_id, command.ask, note=command.note)
    shared = is_shared(state, wallet, command.reservation_id)
    if account is None:
        outcome = Outcome(code, shared=shared)
        if not command.admit:
            return outcome
        expires_at = command.ask.expires_at
        work.emit(fx.Admitted(command.reservation_id, wallet.wallet_id, expires_at, work.at, command.note))
        return work.answer_within(command.reservation_id, command, outcome)
    final = not shared and is_final(state, wallet, account, work.at)
    outcome = Outcome(code, octets, final, account.account_id, shared=shared)
    return work.answer_within(command.reservation_id, command, outcome)


def _account_of(work: Work, reservation: Reservation) -> Account | None:
    """Return the account that the reservation books on; None if no account can take the usage."""
    if reservation.account_id != NO_ACCOUNT:
        return work.state.accounts[reservation.account_id]
    return account_for_late(work.state, work.state.wallets[reservation.wallet_id], work.at)


def _kept(reservation: Reservation, command: Reserve | Admit | Commit | Release) -> Outcome | None:
    packed = reservation.answers.get(key_within(reservation.reservation_id, command.command_id))
    return None if packed is None else answered_before(packed, command)


def _book(
    work: Work, reservation: Reservation, account: Account | None, used: int, note: str = ""
) -> tuple[int, int, bool]:
    """Take back what is reserved and book the usage.

    Usage within the reservation is paid from it. Usage beyond it is paid from what is available, and the remainder
    is an overrun, which is counted apart. Without an account the usage counts as unbooked octets of the wallet.

    Returns:
        The octets committed, the reserved octets that came back, and whether the account was exhausted by this.
    """
    held = reservation.reserved
    if not used and not held:
        return 0, 0, False
    if account is None:
        work.emit(fx.Unbooked(reservation.reservation_id, reservation.wallet_id, used, work.at, note))
        return 0, 0, False
    beyond = used - held
    if beyond > 0:
        if account.uncapped:
            committed = used if account.status is AccountStatus.OPEN else held
        else:
            committed = held + min(beyond, account.available)
        rest = 0
    else:
        committed, rest = used, -beyond
    first = used > 0 and not account.first_used_at
    work.emit(fx.Committed(reservation.reservation_id, account.account_id, committed, held, first, work.at, note))
    if used > committed:
        work.emit(fx.Overran(reservation.reservation_id, account.account_id, used - committed, work.at))
    if committed:
        hold_if_reached(work, account.wallet_id)
    if account.status is not AccountStatus.OPEN:
        work.lapse(account, 0 if account.uncapped else rest)
        return committed, 0, False
    return committed, rest, exhaust(work, account)


def exhaust(work: Work, account: Account) -> bool:
    """Make the cut-off in the ledger: exhaust an account without octets and hold its wallet; tell whether it is so.

    It is part of the batch that commits the last octet, so nothing can be reserved in between. A wallet that
    continues with its next account gets no hold.
    """
    if not account.is_used_up:
        return False
    work.emit(fx.Exhausted(account.account_id, account.wallet_id, work.at))
    wallet = work.state.wallets[account.wallet_id]
    if not wallet.continue_with_next and "exhausted" not in reasons_of(wallet.hold):
        work.emit(fx.WalletHeld(wallet.wallet_id, "exhausted", work.at))
    return True


def _renew(
    work: Work,
    reservation: Reservation,
    ask: Ask,
    booked_on: str,
    rest: int = 0,
    used: int = 0,
    committed: int = 0,
    ran_out: bool = False,
) -> Outcome:
    """Reserve anew after booking. A refused ask still renews the supervision: the client is alive."""
    state = work.state
    wallet = state.wallets[reservation.wallet_id]
    code, account, octets = grant(work, wallet, reservation.reservation_id, ask, rest)
    shared = is_shared(state, wallet, reservation.reservation_id)
    if account is None:
        if ask.expires_at != reservation.expires_at:
            work.emit(fx.Supervised(reservation.reservation_id, ask.expires_at, work.at))
        if ran_out and code in (OutcomeCode.ON_HOLD, OutcomeCode.NOTHING_USABLE):
            code = OutcomeCode.EXHAUSTED
        return Outcome(code, 0, False, booked_on, used - committed, committed, shared)
    final = not shared and is_final(state, wallet, account, work.at)
    return Outcome(code, octets, final, account.account_id, used - committed, committed, shared)


def _close(work: Work, reservation: Reservation, seconds: int, note: str, *, settled: bool) -> None:
    reservation_id, forget_at = reservation.reservation_id, work.at + seconds
    work.emit(fx.ReservationClosed(reservation_id, reservation.account_id, settled, forget_at, work.at, note))
