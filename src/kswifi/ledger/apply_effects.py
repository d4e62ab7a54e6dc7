"""Apply effects to the state: the only code that changes it, both live and when a journal is replayed.

The functions do not check their effect: the model made it for exactly this state. Damage of a journal is found
by its checksums before, and by ``verify`` after.
"""

import heapq
import sys
from collections.abc import Callable
from typing import Any, Final

from kswifi.ledger import effects as fx
from kswifi.ledger.answers import ANSWERS_PER_RESERVATION
from kswifi.ledger.commands import NO_ACCOUNT
from kswifi.ledger.limits import day_of, is_lifted, used_octets
from kswifi.ledger.state import (
    Account,
    AccountStatus,
    DayLimit,
    LedgerState,
    Reservation,
    Wallet,
    hold_for,
    key_within,
    reasons_of,
)


def replay(state: LedgerState, effect: fx.Effect) -> None:
    """Apply one effect to the state."""
    _REPLAY[type(effect)](state, effect)


def _wallet_opened(state: LedgerState, effect: fx.WalletOpened) -> None:
    state.wallets[effect.wallet_id] = Wallet(effect.wallet_id, effect.imsi)
    state.imsis[effect.imsi] = effect.wallet_id


def _credited(state: LedgerState, effect: fx.Credited) -> None:
    wallet = state.wallets[effect.wallet_id]
    octets = effect.octets or 0
    state.accounts[effect.account_id] = Account(
        effect.account_id,
        wallet.wallet_id,
        uncapped=effect.octets is None,
        expires_at=effect.expires_at,
        credited=octets,
        available=octets,
        withheld=effect.withheld_octets,
    )
    ids = wallet.account_ids
    place = wallet.chosen
    while place < len(ids) and state.accounts[ids[place]].expires_at <= effect.expires_at:
        place += 1
    wallet.account_ids = (*ids[:place], effect.account_id, *ids[place:])


def _disbursed(state: LedgerState, effect: fx.Disbursed) -> None:
    account = state.accounts[effect.account_id]
    account.withheld -= effect.octets
    account.credited += effect.octets
    account.available += effect.octets


def _storage_proved(state: LedgerState, effect: fx.StorageProved) -> None:
    state.accounts[effect.account_id].storage_proof = sys.intern(effect.storage_proof)


def _reserved(state: LedgerState, effect: fx.Reserved) -> None:
    account = state.accounts[effect.account_id]
    account.reserved += effect.octets
    if account.uncapped:
        account.credited += effect.octets
    else:
        account.available -= effect.octets
    reservation = state.reservations.get(effect.reservation_id)
    if reservation is None:
        reservation = Reservation(effect.reservation_id, account.wallet_id, account.account_id, note=effect.note)
        state.reservations[effect.reservation_id] = reservation
        wallet = state.wallets[account.wallet_id]
        wallet.reservation_ids = (*wallet.reservation_ids, effect.reservation_id)
        account.reservations += 1
    elif reservation.account_id != account.account_id:
        _let_go(state, reservation)
        reservation.account_id = account.account_id
        account.reservations += 1
    reservation.reserved += effect.octets
    _expect(state, reservation, effect.expires_at)


def _committed(state: LedgerState, effect: fx.Committed) -> None:
    account = state.accounts[effect.account_id]
    state.reservations[effect.reservation_id].reserved -= effect.released_octets
    account.reserved -= effect.released_octets
    account.used += effect.octets
    if account.uncapped:
        account.credited += effect.octets - effect.released_octets
    else:
        account.available += effect.released_octets - effect.octets
    if effect.first:
        account.first_used_at = effect.at
    if effect.octets:
        _count_day(state, account.wallet_id, effect.octets, effect.at)
    if effect.octets and account.status is AccountStatus.OPEN:
        wallet = state.wallets[account.wallet_id]
        if wallet.active_account_id is None:
            wallet.active_account_id = account.account_id


def _reported(state: LedgerState, effect: fx.Reported) -> None:
    account = state.accounts[effect.account_id]
    account.reported = effect.total_octets
    account.used += effect.octets
    account.overrun += effect.overrun_octets
    if account.uncapped:
        account.credited += effect.octets
    else:
        account.available -= effect.octets
    if effect.first:
        account.first_used_at = effect.at
    if effect.octets and account.status is AccountStatus.OPEN:
        wallet = state.wallets[account.wallet_id]
        if wallet.active_account_id is None:
            wallet.active_account_id = account.account_id


def _released(state: LedgerState, effect: fx.Released) -> None:
    account = state.accounts[effect.account_id]
    state.reservations[effect.reservation_id].reserved -= effect.octets
    account.reserved -= effect.octets
    if account.uncapped:
        account.credited -= effect.octets
    else:
        account.available += effect.octets


def _overran(state: LedgerState, effect: fx.Overran) -> None:
    state.accounts[effect.account_id].overrun += effect.octets


def _exhausted(state: LedgerState, effect: fx.Exhausted) -> None:
    _end(state, state.accounts[effect.account_id], AccountStatus.EXHAUSTED, effect.at)


def _expired(state: LedgerState, effect: fx.Expired) -> None:
    account = state.accounts[effect.account_id]
    account.available -= effect.octets
    account.expired += effect.octets
    _end(state, account, AccountStatus.EXPIRED, effect.at)


def _revoked(state: LedgerState, effect: fx.Revoked) -> None:
    account = state.accounts[effect.account_id]
    account.available -= effect.octets
    account.revoked += effect.octets
    _end(state, account, AccountStatus.REVOKED, effect.at)


def _end(state: LedgerState, account: Account, status: AccountStatus, at: int) -> None:
    if account.status is not AccountStatus.OPEN:
        return
    account.status = status
    account.ended_at = at
    wallet = state.wallets[account.wallet_id]
    place = wallet.account_ids.index(account.account_id)
    wallet.account_ids = wallet.account_ids[:place] + wallet.account_ids[place + 1 :]
    if place < wallet.chosen:
        wallet.chosen -= 1
    if wallet.active_account_id == account.account_id:
        wallet.active_account_id = None


def _wallet_held(state: LedgerState, effect: fx.WalletHeld) -> None:
    wallet = state.wallets[effect.wallet_id]
    wallet.hold = hold_for(reasons_of(wallet.hold) | {effect.reason})
    state.hold_ends.pop((wallet.wallet_id, effect.reason), None)
    if effect.reason == "exhausted":
        state.exhausted_since.setdefault(wallet.wallet_id, effect.at)


def _hold_lifted(state: LedgerState, effect: fx.HoldLifted) -> None:
    wallet = state.wallets[effect.wallet_id]
    for reason in reasons_of(wallet.hold):
        state.hold_ends.pop((wallet.wallet_id, reason), None)
    wallet.hold = None
    state.exhausted_since.pop(wallet.wallet_id, None)
    if effect.account_id is not None:
        chosen = [it for it in wallet.account_ids[: wallet.chosen] if it != effect.account_id]
        _choose(state, wallet, (effect.account_id, *chosen))
        wallet.active_account_id = wallet.account_ids[0]


def _held_until(state: LedgerState, effect: fx.HeldUntil) -> None:
    wallet = state.wallets[effect.wallet_id]
    wallet.hold = hold_for(reasons_of(wallet.hold) | {effect.reason})
    state.hold_ends[wallet.wallet_id, effect.reason] = effect.ends_at


def _hold_ended(state: LedgerState, effect: fx.HoldEnded) -> None:
    wallet = state.wallets[effect.wallet_id]
    wallet.hold = hold_for(reasons_of(wallet.hold) - {effect.reason})
    state.hold_ends.pop((wallet.wallet_id, effect.reason), None)


def _day_limit_set(state: LedgerState, effect: fx.DayLimitSet) -> None:
    wallet_id = state.wallets[effect.wallet_id].wallet_id
    if effect.octets is None:
        del state.day_limits[wallet_id]
        return
    limit = state.day_limits.get(wallet_id)
    used, lifted = (0, False) if limit is None else (used_octets(limit, effect.at), is_lifted(limit, effect.at))
    limit = DayLimit(wallet_id, effect.octets, effect.day_at)
    limit.day_at, limit.used, limit.lifted = day_of(limit, effect.at), used, lifted
    state.day_limits[wallet_id] = limit


def _day_limit_lifted(state: LedgerState, effect: fx.DayLimitLifted) -> None:
    _count_day(state, effect.wallet_id, 0, effect.at)
    state.day_limits[effect.wallet_id].lifted = True


def _count_day(state: LedgerState, wallet_id: str, octets: int, at: int) -> None:
    """Count used octets in the day of an instant, where the wallet has a limit; a new day begins at 0."""
    limit = state.day_limits.get(wallet_id)
    if limit is None:
        return
    if (day_at := day_of(limit, at)) != limit.day_at:
        limit.day_at, limit.used, limit.lifted = day_at, 0, False
    limit.used += octets


def _ordered(state: LedgerState, effect: fx.Ordered) -> None:
    _choose(state, state.wallets[effect.wallet_id], effect.account_ids)


def _choose(state: LedgerState, wallet: Wallet, first: tuple[str, ...]) -> None:
    others = [it for it in wallet.account_ids if it not in first]
    others.sort(key=lambda it: state.accounts[it].expires_at)
    wallet.account_ids = (*(state.accounts[it].account_id for it in first), *others)
    wallet.chosen = len(first)


def _continue_with_next_set(state: LedgerState, effect: fx.ContinueWithNextSet) -> None:
    state.wallets[effect.wallet_id].continue_with_next = effect.enabled


def _transferred(state: LedgerState, effect: fx.Transferred) -> None:
    giver = state.accounts[effect.from_account_id]
    taker = state.accounts[effect.to_account_id]
    giver.available -= effect.octets
    giver.transferred_out += effect.octets
    taker.available += effect.octets
    taker.transferred_in += effect.octets


def _sent(state: LedgerState, effect: fx.Sent) -> None:
    account = state.accounts[effect.account_id]
    account.available -= effect.octets
    account.transferred_out += effect.octets


def _received(state: LedgerState, effect: fx.Received) -> None:
    account = state.accounts[effect.account_id]
    account.available += effect.octets
    account.transferred_in += effect.octets


def _refunded(state: LedgerState, effect: fx.Refunded) -> None:
    account = state.accounts[effect.account_id]
    account.used -= effect.octets
    if account.uncapped:
        account.credited -= effect.octets
    else:
        account.available += effect.octets


def _frozen(state: LedgerState, effect: fx.Frozen) -> None:
    state.wallets[effect.wallet_id].frozen = effect.frozen


def _reservation_closed(state: LedgerState, effect: fx.ReservationClosed) -> None:
    reservation = state.reservations[effect.reservation_id]
    reservation.closed = True
    reservation.forget_at = effect.forget_at
    wallet = state.wallets[reservation.wallet_id]
    wallet.reservation_ids = tuple(it for it in wallet.reservation_ids if it != effect.reservation_id)
    heapq.heappush(state.forgettable, (effect.forget_at, True, reservation.reservation_id))


def _supervised(state: LedgerState, effect: fx.Supervised) -> None:
    _expect(state, state.reservations[effect.reservation_id], effect.expires_at)


def _admitted(state: LedgerState, effect: fx.Admitted) -> None:
    wallet = state.wallets[effect.wallet_id]
    reservation = Reservation(effect.reservation_id, wallet.wallet_id, NO_ACCOUNT, note=effect.note)
    state.reservations[effect.reservation_id] = reservation
    wallet.reservation_ids = (*wallet.reservation_ids, effect.reservation_id)
    _expect(state, reservation, effect.expires_at)


def _unbooked(state: LedgerState, effect: fx.Unbooked) -> None:
    state.wallets[effect.wallet_id].unbooked += effect.octets


def _let_go(state: LedgerState, reservation: Reservation) -> None:
    if reservation.account_id != NO_ACCOUNT:
        state.accounts[reservation.account_id].reservations -= 1


def _expect(state: LedgerState, reservation: Reservation, expires_at: int) -> None:
    reservation.expires_at = expires_at
    if not 0 < reservation.watched_at <= expires_at:
        state.watch(reservation)


def _answered(state: LedgerState, effect: fx.Answered) -> None:
    if effect.reservation_id is None:
        state.answers[effect.command_id] = effect.answer
        heapq.heappush(state.forgettable, (effect.forget_at, False, effect.command_id))
        return
    answers = state.reservations[effect.reservation_id].answers
    answers[key_within(effect.reservation_id, effect.command_id)] = effect.answer
    if len(answers) > ANSWERS_PER_RESERVATION:
        del answers[next(iter(answers))]


def _account_closed(state: LedgerState, effect: fx.AccountClosed) -> None:
    del state.accounts[effect.account_id]


def _reservation_forgotten(state: LedgerState, effect: fx.ReservationForgotten) -> None:
    _let_go(state, state.reservations.pop(effect.reservation_id))
    _drop_forgotten(state)


def _answer_forgotten(state: LedgerState, effect: fx.AnswerForgotten) -> None:
    del state.answers[effect.command_id]
    _drop_forgotten(state)


def _drop_forgotten(state: LedgerState) -> None:
    heap = state.forgettable
    while heap and heap[0][2] not in (state.reservations if heap[0][1] else state.answers):
        heapq.heappop(heap)


_REPLAY: Final[dict[type, Callable[[LedgerState, Any], None]]] = {
    fx.WalletOpened: _wallet_opened,
    fx.Credited: _credited,
    fx.Disbursed: _disbursed,
    fx.StorageProved: _storage_proved,
    fx.Reserved: _reserved,
    fx.Committed: _committed,
    fx.Released: _released,
    fx.Overran: _overran,
    fx.Exhausted: _exhausted,
    fx.WalletHeld: _wallet_held,
    fx.HoldLifted: _hold_lifted,
    fx.HeldUntil: _held_until,
    fx.HoldEnded: _hold_ended,
    fx.DayLimitSet: _day_limit_set,
    fx.DayLimitLifted: _day_limit_lifted,
    fx.Expired: _expired,
    fx.Revoked: _revoked,
    fx.Transferred: _transferred,
    fx.Frozen: _frozen,
    fx.Ordered: _ordered,
    fx.ContinueWithNextSet: _continue_with_next_set,
    fx.ReservationClosed: _reservation_closed,
    fx.Supervised: _supervised,
    fx.Answered: _answered,
    fx.AccountClosed: _account_closed,
    fx.ReservationForgotten: _reservation_forgotten,
    fx.AnswerForgotten: _answer_forgotten,
    fx.Admitted: _admitted,
    fx.Unbooked: _unbooked,
    fx.Refunded: _refunded,
    fx.Reported: _reported,
    fx.Sent: _sent,
    fx.Received: _received,
}
