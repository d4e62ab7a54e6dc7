"""Commands about holds: hold a wallet, for ever or until an instant, end and lift holds, and limit its days."""

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.command_context import DONE, Work
from kswifi.ledger.commands import HoldReason, Outcome, OutcomeCode
from kswifi.ledger.limits import hold_ends_at, is_lifted, is_reached
from kswifi.ledger.state import END_CODES, AccountStatus, reasons_of

UNKNOWN_WALLET = Outcome(OutcomeCode.UNKNOWN_WALLET)


def hold_wallet(work: Work, command: do.HoldWallet) -> Outcome:
    """Hold the wallet for one more reason; for ``exhausted`` only if none of its accounts can be used.

    A pause that had an end has none then.
    """
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    needless = command.reason == "exhausted" and any(
        it.storage_proof and work.at < it.expires_at
        for it in map(work.state.accounts.__getitem__, wallet.account_ids)
    )
    has_end = (wallet.wallet_id, command.reason) in work.state.hold_ends
    if (command.reason not in reasons_of(wallet.hold) or has_end) and not needless:
        work.emit(fx.WalletHeld(wallet.wallet_id, command.reason, work.at))
    return _remember(work, command)


def pause_until(work: Work, command: do.PauseUntil) -> Outcome:
    """Pause the wallet until an instant; EXPIRED if that is past. A pause that it has gets this end."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if command.ends_at <= work.at:
        return Outcome(OutcomeCode.EXPIRED)
    if work.state.hold_ends.get((wallet.wallet_id, "paused")) != command.ends_at:
        work.emit(fx.HeldUntil(wallet.wallet_id, "paused", command.ends_at, work.at))
    return _remember(work, command)


def end_hold(work: Work, command: do.EndHold) -> Outcome:
    """End the hold for one reason at its end; without effect if the hold has another end by now, or none.

    NOT_DUE before ``ends_at``.
    """
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if work.at < command.ends_at:
        return Outcome(OutcomeCode.NOT_DUE)
    if work.state.hold_ends.get((wallet.wallet_id, command.reason)) == command.ends_at:
        _end(work, wallet.wallet_id, command.reason)
        if command.reason == "limited":
            hold_if_reached(work, wallet.wallet_id)  # the days may begin at another instant by now
    return _remember(work, command)


def lift_hold(work: Work, command: do.LiftHold) -> Outcome:
    """Lift the hold for all reasons but ``limited``. The named account must be open, not expired, and proved."""
    state = work.state
    wallet = state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    if command.account_id is not None:
        account = state.accounts.get(command.account_id)
        if account is None or account.wallet_id != wallet.wallet_id:
            return Outcome(OutcomeCode.UNKNOWN_ACCOUNT)
        if account.status is not AccountStatus.OPEN:
            return Outcome(END_CODES[account.status])
        if work.at >= account.expires_at:
            return Outcome(OutcomeCode.EXPIRED)
        if not account.storage_proof:
            return Outcome(OutcomeCode.NOT_PROVEN)
    if reasons_of(wallet.hold) - {"limited"} or command.account_id is not None:
        lift_for(work, wallet.wallet_id, command.account_id, keeping=frozenset({"limited"}))
    return work.answer(
        command, Outcome(OutcomeCode.DONE, account_id=command.account_id), state.retention.control_seconds
    )


def lift_for(work: Work, wallet_id: str, account_id: str | None, *, keeping: frozenset[HoldReason]) -> None:
    """Lift the hold, and hold the wallet again for those of its reasons that stay, each with its end."""
    state = work.state
    kept = sorted(reasons_of(state.wallets[wallet_id].hold) & keeping)
    ends = {reason: state.hold_ends.get((wallet_id, reason)) for reason in kept}
    work.emit(fx.HoldLifted(wallet_id, account_id, work.at))
    for reason, ends_at in ends.items():
        if ends_at is None:
            work.emit(fx.WalletHeld(wallet_id, reason, work.at))
        else:
            work.emit(fx.HeldUntil(wallet_id, reason, ends_at, work.at))


def limit_day(work: Work, command: do.LimitDay) -> Outcome:
    """Set, change or remove the day limit; the use of the present day counts on under a changed limit."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    known = work.state.day_limits.get(wallet.wallet_id)
    wanted = (command.octets, command.day_at)
    if known is None and command.octets is None:
        return _remember(work, command)
    if known is None or (known.octets, known.day_at) != wanted:
        work.emit(fx.DayLimitSet(wallet.wallet_id, command.octets, command.day_at, work.at))
    judge_limit(work, wallet.wallet_id)
    return _remember(work, command)


def lift_limit(work: Work, command: do.LiftLimit) -> Outcome:
    """Lift the day limit for the rest of the present day."""
    wallet = work.state.wallets.get(command.wallet_id)
    if wallet is None:
        return UNKNOWN_WALLET
    limit = work.state.day_limits.get(wallet.wallet_id)
    if limit is not None and not is_lifted(limit, work.at):
        work.emit(fx.DayLimitLifted(wallet.wallet_id, work.at))
        judge_limit(work, wallet.wallet_id)
    return _remember(work, command)


def judge_limit(work: Work, wallet_id: str) -> None:
    """Hold the wallet if its day limit is reached, and end that hold if it is not, or there is none any more."""
    limit = work.state.day_limits.get(wallet_id)
    is_held = "limited" in reasons_of(work.state.wallets[wallet_id].hold)
    if limit is not None and is_reached(limit, work.at):
        hold_if_reached(work, wallet_id)
    elif is_held:
        _end(work, wallet_id, "limited")


def hold_if_reached(work: Work, wallet_id: str) -> None:
    """Hold the wallet if its day limit is reached, in the batch that commits the last octet of it."""
    limit = work.state.day_limits.get(wallet_id)
    if limit is None or not is_reached(limit, work.at):
        return
    if "limited" not in reasons_of(work.state.wallets[wallet_id].hold):
        work.emit(fx.HeldUntil(wallet_id, "limited", hold_ends_at(limit, work.at), work.at))


def _end(work: Work, wallet_id: str, reason: HoldReason) -> None:
    left = tuple(sorted(reasons_of(work.state.wallets[wallet_id].hold) - {reason}))
    work.emit(fx.HoldEnded(wallet_id, reason, work.state.hold_ends[wallet_id, reason], left, work.at))


def _remember(work: Work, command: do.Command) -> Outcome:
    return work.answer(command, DONE, work.state.retention.control_seconds)
