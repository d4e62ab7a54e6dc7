"""Commands of the control plane: open, credit, prove, order, freeze, send, receive, end."""

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.command_context import CONFLICT, DONE, Work
from kswifi.ledger.commands import ORDER_LIMIT, Outcome, OutcomeCode
from kswifi.ledger.grants import is_usable
from kswifi.ledger.hold_commands import UNKNOWN_WALLET, lift_for
from kswifi.ledger.state import END_CODES, Account, AccountStatus, reasons_of

UNKNOWN_ACCOUNT = Outcome(OutcomeCode.UNKNOWN_ACCOUNT)


def open_wallet(work: Work, command: do.OpenWallet) -> Outcome:
    """Open a wallet. Idempotent; CONFLICT if the wallet has another IMSI, or the IMSI has another wallet."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is not None:
        return DONE if wallet.imsi == command.imsi else CONFLICT
    if command.imsi in work.state.imsis:
        return CONFLICT
    work.emit(fx.WalletOpened(command.wallet_id, command.imsi, work.at))
    return _remember_shortly(work, command, DONE)


def credit(work: Work, command: do.Credit) -> Outcome:
    """Open an account with its octets. Idempotent: the same account again is DONE and credits nothing."""
    state = work.state
    account = state.accounts.get(command.account_id)
    if account is not None:
        amount = None if account.uncapped else account.credited + account.withheld
        known = (account.wallet_id, amount, account.expires_at)
        asked = (command.wallet_id, command.amount_octets, command.expires_at)
        return Outcome(OutcomeCode.DONE, account_id=account.account_id) if known == asked else CONFLICT
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if command.expires_at <= work.at:
        return Outcome(OutcomeCode.EXPIRED)
    if len(wallet.account_ids) >= ORDER_LIMIT:
        return Outcome(OutcomeCode.TOO_MANY)
    withheld = command.withheld_octets
    octets = None if command.amount_octets is None else command.amount_octets - withheld
    work.emit(fx.Credited(command.account_id, command.wallet_id, octets, command.expires_at, work.at, withheld))
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=command.account_id))


def disburse(work: Work, command: do.Disburse) -> Outcome:
    """Credit more of the withheld octets. No effect if the account already has ``credited_octets``."""
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    if (refused := _not_open(account, work.at)) is not None:
        return Outcome(refused)
    more = command.credited_octets - account.credited
    if more > account.withheld:
        return Outcome(OutcomeCode.INSUFFICIENT)
    if more > 0:
        work.emit(fx.Disbursed(account.account_id, account.wallet_id, more, work.at))
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def prove_storage(work: Work, command: do.ProveStorage) -> Outcome:
    """Record the proof of storage, so that the account can be reserved.

    The first proof stays. It may end a hold for exhaustion (see ``ProveStorage``).
    """
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    if not account.storage_proof:
        work.emit(fx.StorageProved(account.account_id, account.wallet_id, command.storage_proof, work.at))
        if command.ordered_at and is_usable(account, work.at):
            _end_exhaustion(work, account, command.ordered_at)
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def _end_exhaustion(work: Work, account: Account, ordered_at: int) -> None:
    """End the hold for exhaustion if the account's session was ordered after it began; a pause stays."""
    wallet = work.state.wallets[account.wallet_id]
    reasons = reasons_of(wallet.hold)
    since = work.state.exhausted_since.get(wallet.wallet_id)
    if "exhausted" not in reasons or since is None:
        return
    if since < ordered_at or wallet.continue_with_next:
        lift_for(work, wallet.wallet_id, None, keeping=reasons - {"exhausted"})


def order_wallet(work: Work, command: do.OrderWallet) -> Outcome:
    """Put the named accounts first; those that ended meanwhile are left out."""
    state = work.state
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    for account_id in command.account_ids:
        account = state.accounts.get(account_id)
        if account is None or account.wallet_id != wallet.wallet_id:
            return UNKNOWN_ACCOUNT
    still_open = tuple(it for it in command.account_ids if it in wallet.account_ids)
    work.emit(fx.Ordered(wallet.wallet_id, still_open, work.at))
    return _remember_long(work, command, DONE)


def continue_with_next(work: Work, command: do.ContinueWithNext) -> Outcome:
    """Set whether the next account follows an exhausted one by itself. This does not lift a hold."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if wallet.continue_with_next != command.enabled:
        work.emit(fx.ContinueWithNextSet(wallet.wallet_id, command.enabled, work.at))
    return _remember_long(work, command, DONE)


def freeze(work: Work, command: do.Freeze) -> Outcome:
    """Freeze or thaw the wallet."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if wallet.frozen != command.frozen:
        work.emit(fx.Frozen(wallet.wallet_id, command.frozen, work.at))
    return _remember_long(work, command, DONE)


def send(work: Work, command: do.Send) -> Outcome:
    """Take available octets out of an account for a transfer. An account left empty stays open.

    A refusal of a known account is stored as well: the caller gives the transfer up, and a late copy of the command
    must not succeed then. An unknown account is judged anew, because it may be credited later.
    """
    state = work.state
    account = state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    code = _refusal_to_send(work, account, command)
    if code is not None:
        return _remember_long(work, command, Outcome(code))
    octets, transfer_id = command.amount_octets, command.transfer_id
    work.emit(fx.Sent(account.account_id, account.wallet_id, octets, transfer_id, work.at))
    return _remember_long(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def _refusal_to_send(work: Work, account: Account, command: do.Send) -> OutcomeCode | None:
    if account.uncapped:
        return OutcomeCode.CONFLICT
    if work.state.wallets[account.wallet_id].frozen and not command.from_frozen:
        return OutcomeCode.FROZEN
    if (refused := _not_open(account, work.at)) is not None:
        return refused
    return OutcomeCode.INSUFFICIENT if account.available < command.amount_octets else None


def receive(work: Work, command: do.Receive) -> Outcome:
    """Book the octets of a transfer into an account; on an ended account they lapse at once.

    A refusal is stored as well: it lets the caller return the octets, and a late copy must not book them then.
    """
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return _remember_long(work, command, UNKNOWN_ACCOUNT)
    if account.uncapped:
        return _remember_long(work, command, CONFLICT)
    octets, transfer_id = command.amount_octets, command.transfer_id
    work.emit(fx.Received(account.account_id, account.wallet_id, octets, transfer_id, work.at))
    if account.status is AccountStatus.EXHAUSTED:
        work.emit(fx.Expired(account.account_id, account.wallet_id, octets, work.at))
    else:
        work.lapse(account, octets)
    return _remember_long(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def refund(work: Work, command: do.Refund) -> Outcome:
    """Give used octets back to the active account, or the first open one in order that used that many.

    An ended account is not reopened. A refusal is stored as well: a late copy of the request must not succeed.
    """
    state = work.state
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    for account_id in (wallet.active_account_id, *wallet.account_ids):
        account = state.accounts[account_id] if account_id is not None else None
        if account is not None and account.used >= command.amount_octets and work.at < account.expires_at:
            refunded = fx.Refunded(
                account.account_id, wallet.wallet_id, command.amount_octets, work.at, command.note
            )
            work.emit(refunded)
            return _remember_long(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))
    return _remember_long(work, command, Outcome(OutcomeCode.INSUFFICIENT))


def expire(work: Work, command: do.Expire) -> Outcome:
    """Expire a due account; its available octets move to ``expired``.

    Idempotent: an account that already ended is left unchanged. NOT_DUE before ``expires_at``.
    """
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    if work.at < account.expires_at:
        return Outcome(OutcomeCode.NOT_DUE)
    if account.status is AccountStatus.OPEN:
        work.emit(fx.Expired(account.account_id, account.wallet_id, account.available, work.at))
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def revoke(work: Work, command: do.Revoke) -> Outcome:
    """Revoke an account; its available octets move to ``revoked``.

    Idempotent: an account that already ended is left unchanged.
    """
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    if account.status is AccountStatus.OPEN:
        work.emit(fx.Revoked(account.account_id, account.wallet_id, account.available, command.reason, work.at))
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=account.account_id))


def close(work: Work, command: do.Close) -> Outcome:
    """Forget an account that ended long ago, has expired, and has no remembered reservation; NOT_DUE otherwise."""
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return UNKNOWN_ACCOUNT
    if not work.state.is_closable(account.account_id, work.at):
        return Outcome(OutcomeCode.NOT_DUE)
    work.emit(fx.AccountClosed(account.account_id, account.wallet_id, work.at))
    return _remember_shortly(work, command, Outcome(OutcomeCode.DONE, account_id=command.account_id))


def _not_open(account: Account, at: int) -> OutcomeCode | None:
    if account.status is not AccountStatus.OPEN:
        return END_CODES[account.status]
    return OutcomeCode.EXPIRED if at >= account.expires_at else None


def _remember_shortly(work: Work, command: do.Command, outcome: Outcome) -> Outcome:
    return work.answer(command, outcome, work.state.retention.natural_seconds)


def _remember_long(work: Work, command: do.Command, outcome: Outcome) -> Outcome:
    return work.answer(command, outcome, work.state.retention.control_seconds)
