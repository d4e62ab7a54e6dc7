"""Usage that a provider's counter reports late and as a total, for lines that no charging server meters."""

from kswifi.ledger import effects as fx
from kswifi.ledger.command_context import Work
from kswifi.ledger.commands import Outcome, OutcomeCode, ReportUsage
from kswifi.ledger.state import AccountStatus
from kswifi.ledger.usage_commands import exhaust


def report_usage(work: Work, command: ReportUsage) -> Outcome:
    """Book the growth of the counter: from the available octets, and the rest as overrun.

    Usage is never refused because of a hold or an ended account: it happened. An account that ended pays nothing,
    so all its late usage is overrun. A total that is not above the highest one is DONE and changes nothing.
    """
    account = work.state.accounts.get(command.account_id)
    if account is None:
        return Outcome(OutcomeCode.UNKNOWN_ACCOUNT)
    if not account.storage_proof:
        return Outcome(OutcomeCode.NOT_PROVEN)
    grown = command.used_total_octets - account.reported
    if grown <= 0:
        return Outcome(OutcomeCode.DONE, account_id=account.account_id)
    if account.status is not AccountStatus.OPEN:
        paid = 0
    else:
        paid = grown if account.uncapped else min(grown, account.available)
    first = not account.first_used_at
    work.emit(
        fx.Reported(
            account.account_id,
            account.wallet_id,
            paid,
            grown - paid,
            command.used_total_octets,
            first,
            command.as_of,
            work.at,
        )
    )
    if account.status is AccountStatus.OPEN:
        exhaust(work, account)
    outcome = Outcome(
        OutcomeCode.DONE, account_id=account.account_id, overrun_octets=grown - paid, committed_octets=paid
    )
    return work.answer(command, outcome, work.state.retention.natural_seconds)
