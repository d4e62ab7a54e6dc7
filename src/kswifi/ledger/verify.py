"""Check the ledger's invariants."""

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter

from kswifi.ledger.commands import NO_ACCOUNT
from kswifi.ledger.state import Account, AccountStatus, LedgerState, Reservation, Wallet, reasons_of

_AMOUNTS = (
    "credited", "transferred_in", "used", "reserved", "available",
    "expired", "revoked", "transferred_out", "overrun", "withheld", "reported",
)  # fmt: skip
_amounts = attrgetter(*_AMOUNTS)


def verify(state: LedgerState) -> list[str]:
    """Return the violated invariants in words; an empty list means that the state is sound."""
    reserved: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    found: list[str] = []
    for reservation in state.reservations.values():
        reserved[reservation.account_id] += reservation.reserved
        holders[reservation.account_id] += 1
        found += _of_reservation(state, reservation)
    for account in state.accounts.values():
        found += _of_account(state, account, reserved[account.account_id], holders[account.account_id])
    for wallet in state.wallets.values():
        found += _of_wallet(state, wallet)
    for wallet_id, reason in state.hold_ends:
        held = state.wallets.get(wallet_id)
        if held is None or reason not in reasons_of(held.hold):
            found.append(f"wallet {wallet_id}: has an end of a hold for {reason}, and no such hold")
    return found


def conserved(account: Account) -> bool:
    """Return whether the octets that came into the account equal those that are in it or went out."""
    came = account.credited + account.transferred_in
    went = account.expired + account.revoked + account.transferred_out
    return came == account.used + account.reserved + account.available + went


def _of_account(state: LedgerState, account: Account, reserved: int, holders: int) -> Iterator[str]:
    name = f"account {account.account_id}"
    if not conserved(account):
        yield f"{name}: credited + transferred_in is not used + reserved + available + what went away"
    if min(_amounts(account)) < 0:
        for amount in (it for it in _AMOUNTS if getattr(account, it) < 0):
            yield f"{name}: {amount} is negative"
    if account.reserved != reserved:
        yield f"{name}: {account.reserved} reserved, but its reservations hold {reserved}"
    if account.reservations != holders:
        yield f"{name}: counts {account.reservations} reservations, but has {holders}"
    if (account.used or account.reserved) and not account.storage_proof:
        yield f"{name}: spent without a proof of storage"
    if account.available and (account.uncapped or account.status is not AccountStatus.OPEN):
        yield f"{name}: {account.available} available in an account that is uncapped or {account.status}"
    wallet = state.wallets.get(account.wallet_id)
    if wallet is None:
        yield f"{name}: its wallet {account.wallet_id} is unknown"
    elif (account.account_id in wallet.account_ids) is not (account.status is AccountStatus.OPEN):
        yield f"{name}: {account.status}, which its wallet's order contradicts"


def _of_wallet(state: LedgerState, wallet: Wallet) -> Iterator[str]:
    name = f"wallet {wallet.wallet_id}"
    if wallet.wallet_id in state.exhausted_since and "exhausted" not in reasons_of(wallet.hold):
        yield f"{name}: has a beginning of exhaustion and is not held for it"
    limit = state.day_limits.get(wallet.wallet_id)
    if limit is not None and (limit.wallet_id != wallet.wallet_id or limit.used < 0):
        yield f"{name}: its day limit is another wallet's, or counts {limit.used}"
    if state.imsis.get(wallet.imsi) != wallet.wallet_id:
        yield f"{name}: its IMSI leads elsewhere"
    if len(set(wallet.account_ids)) != len(wallet.account_ids):
        yield f"{name}: an account is twice in its order"
    for account_id in wallet.account_ids:
        account = state.accounts.get(account_id)
        if account is None or account.wallet_id != wallet.wallet_id:
            yield f"{name}: account {account_id} in its order is not its own"
    if wallet.active_account_id is not None and wallet.active_account_id not in wallet.account_ids:
        yield f"{name}: its active account {wallet.active_account_id} is not open"
    for reservation_id in wallet.reservation_ids:
        reservation = state.reservations.get(reservation_id)
        if reservation is None or reservation.closed or reservation.wallet_id != wallet.wallet_id:
            yield f"{name}: reservation {reservation_id} is not open in it"


def _of_reservation(state: LedgerState, reservation: Reservation) -> Iterator[str]:
    name = f"reservation {reservation.reservation_id}"
    account = state.accounts.get(reservation.account_id)
    if reservation.account_id == NO_ACCOUNT:
        if reservation.reserved:
            yield f"{name}: holds {reservation.reserved} of no account"
    elif account is None or account.wallet_id != reservation.wallet_id:
        yield f"{name}: its account {reservation.account_id} is not one of its wallet's"
    if reservation.reserved < 0 or (reservation.closed and reservation.reserved):
        yield f"{name}: holds {reservation.reserved}, closed: {reservation.closed}"
    wallet = state.wallets.get(reservation.wallet_id)
    if wallet is not None and (reservation.reservation_id in wallet.reservation_ids) is reservation.closed:
        yield f"{name}: closed: {reservation.closed}, which its wallet contradicts"
