"""The grant rule: which account a wallet spends from, and how many octets a reservation gets at once."""

from typing import Final

from kswifi.ledger import effects as fx
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import Ask, OutcomeCode
from kswifi.ledger.limits import room_octets
from kswifi.ledger.state import Account, LedgerState, Wallet

RESERVATIONS_PER_WALLET: Final = 64
"""The most open reservations of a wallet; a phone has a few bearers and rating groups."""


def is_usable(account: Account, at: int) -> bool:
    """Return whether an open account can grant now: octets available, storage proved, not expired."""
    return (account.available > 0 or account.uncapped) and account.storage_proof != "" and at < account.expires_at


def usable_account(state: LedgerState, wallet: Wallet, at: int) -> Account | None:
    """Return the account to grant from: the active one, else the first usable one in the wallet's order.

    If other reservations hold the rest of the active account, or the rest is withheld, the next account is used
    only when the wallet continues with the next account by itself.
    """
    active = state.accounts[wallet.active_account_id] if wallet.active_account_id else None
    if active is not None:
        if is_usable(active, at):
            return active
        more_may_come = active.reserved or active.withheld
        if more_may_come and at < active.expires_at and not wallet.continue_with_next:
            return None
    for account_id in wallet.account_ids:
        account = state.accounts[account_id]
        if is_usable(account, at):
            return account
    return None


def account_for_late(state: LedgerState, wallet: Wallet, at: int) -> Account | None:
    """Return the account that pays for usage without a reservation, or None. A hold does not matter: it was used.

    It is the account that a grant would use; else the active one, or the first whose storage is proved. The last
    two overrun.
    """
    account = usable_account(state, wallet, at)
    if account is None and wallet.active_account_id is not None:
        return state.accounts[wallet.active_account_id]
    if account is None:
        mine = (state.accounts[it] for it in wallet.account_ids)
        return next((it for it in mine if it.storage_proof), None)
    return account


def awaits_tranche(account: Account) -> bool:
    """Return whether all credited octets are granted or used, and more octets are withheld."""
    return account.withheld > 0 and account.available == 0


def refusal(state: LedgerState, wallet: Wallet, at: int) -> OutcomeCode:
    """Return why no account of the wallet is usable; of several reasons, the one that may end soonest."""
    accounts = [state.accounts[it] for it in wallet.account_ids]
    if any((it.reserved or awaits_tranche(it)) and at < it.expires_at for it in accounts):
        return OutcomeCode.NOTHING_USABLE
    if any(not it.storage_proof and at < it.expires_at for it in accounts):
        return OutcomeCode.NOT_PROVEN
    return OutcomeCode.EXPIRED if accounts else OutcomeCode.NOTHING_USABLE


def grant(
    work: Work, wallet: Wallet, reservation_id: str, ask: Ask, rest: int = 0, note: str = ""
) -> tuple[OutcomeCode, Account | None, int]:
    """Reserve octets by the grant rule; return (code, account, octets).

    There are an account and octets only if the code is DONE.

    Args:
        work: the command's context.
        wallet: the wallet that spends.
        reservation_id: the reservation that gets the octets.
        ask: how much to reserve.
        rest: octets that this reservation just gave back. The new grant is no smaller, if that much is available
            and the ask does not allow to shrink.
        note: kept with a new reservation.
    """
    state, at = work.state, work.at
    if wallet.frozen:
        return OutcomeCode.FROZEN, None, 0
    if wallet.hold is not None:
        return OutcomeCode.ON_HOLD, None, 0
    account = usable_account(state, wallet, at)
    if account is None:
        return refusal(state, wallet, at), None, 0
    room = room_octets(state, wallet, at)
    if room == 0:
        # Other reservations hold what the day limit leaves: if it were used, the wallet would be on hold.
        return OutcomeCode.NOTHING_USABLE, None, 0
    octets = ask.amount_octets if ask.may_shrink else max(ask.amount_octets, rest)
    most = room if account.uncapped else account.available if room is None else min(account.available, room)
    if most is not None:
        octets = most if most <= ask.whole_up_to_octets else min(most, octets)
    work.emit(fx.Reserved(reservation_id, account.account_id, octets, ask.expires_at, at, note))
    return OutcomeCode.DONE, account, octets


def is_shared(state: LedgerState, wallet: Wallet, reservation_id: str) -> bool:
    """Return whether another reservation of the wallet holds octets."""
    return any(state.reservations[it].reserved for it in wallet.reservation_ids if it != reservation_id)


def is_final(state: LedgerState, wallet: Wallet, account: Account, at: int) -> bool:
    """Return whether nothing more can be granted to the wallet after this account's grant is used."""
    if room_octets(state, wallet, at) == 0:
        return True
    if account.uncapped or account.available or account.withheld:
        return False
    if not wallet.continue_with_next:
        return True
    accounts = [state.accounts[it] for it in wallet.account_ids]
    return not any(is_usable(it, at) or awaits_tranche(it) for it in accounts)
