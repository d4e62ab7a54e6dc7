"""`kswifi payments ...`: check the payment gateway, book manual refunds, and serve a rehearsal gateway."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kswifi.cli.money.reconciling import reconcile, show_items, unclaimed
from kswifi.cli.running import run_async
from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from kswifi.data_directory.layout import Installation
    from kswifi.settings import Settings

payments_app = typer.Typer(help="Payments: what is configured, what works, what to rehearse.", no_args_is_help=True)
payments_app.command("reconcile")(reconcile)
payments_app.command("unclaimed")(unclaimed)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]

PaymentReference = Annotated[str, typer.Argument(help="The payment's reference: kswifi-...")]
Reason = Annotated[str, typer.Option("--reason", help="Why: the audit trail keeps it.")]

_TEST_KEY: Final = "sk_test_"
ONLY_A_REHEARSAL = Refusal("only_a_rehearsal", "The rehearsal gateway was given a key with which money moves.")


@payments_app.command("check")
def check(as_json: AsJson = False) -> None:
    """Show the configuration, whether it works, and its unconfirmed details; exit status 1 if it does not work."""
    from kswifi.data_directory.layout import installation_of
    from kswifi.settings import load_settings

    settings = load_settings()
    found = run_async(_look(settings, installation_of(settings)))
    if as_json:
        print(json.dumps(found))
    else:
        _show(found)
    if found["wrong"] or found["to_do"]:
        raise SystemExit(1)


@payments_app.command("show")
def show(reference: PaymentReference, as_json: AsJson = False) -> None:
    """Show a payment, the days of its pass, and what the book holds of it."""
    from kswifi.cli.desk.opened import print_json, read
    from kswifi.kernel.quantities import format_naira
    from kswifi.payments.bookings import booked_of_payment
    from kswifi.payments.store import find_payment, period_of

    def look(connection: "Connection") -> dict[str, Any]:
        payment = find_payment(connection, reference)
        booked = booked_of_payment(connection, payment)
        return {
            "payment": payment,
            "pass": period_of(connection, reference),
            "entries": sorted(booked.names),
            "sent_back_kobo": booked.sent_back_kobo,
            "owed_kobo": booked.owed_kobo,
        }

    found = read(look)
    if as_json:
        print_json(found)
        return
    payment, period = found["payment"], found["pass"]
    print(f"{payment.reference}  {payment.state}  {format_naira(payment.amount_kobo)}  of {payment.user_id}")
    begun = f"begun {payment.created_at:%Y-%m-%d %H:%M} at {payment.gateway}"
    print(f"  {payment.title}, {begun}  {payment.reason or ''}")
    if period is not None:
        print(f"  pass {period.state}: {period.starts_at:%Y-%m-%d} to {period.ends_at:%Y-%m-%d}")
    print(f"  booked: {', '.join(found['entries']) or 'nothing'}; owed {format_naira(found['owed_kobo'])}")


@payments_app.command("look")
def look_up(reference: PaymentReference, reason: Reason = "asked by the customer") -> None:
    """Have a payment looked up at its gateway again, at once."""
    from kswifi.cli.desk.opened import shell_operator, write
    from kswifi.desk.payments import look_up as look

    payment = write(lambda connection: look(connection, shell_operator(), reference, reason))
    print(f"{payment.reference}: it is {payment.state}; the server looks it up now")


@payments_app.command("refund")
def refund(reference: PaymentReference, reason: Reason) -> None:
    """Refund a payment of which nothing was used: its pass is suspended, and the gateway sends the money back."""
    from kswifi.cli.desk.opened import shell_operator, write
    from kswifi.desk.payments import refund as refund_payment

    payment = write(lambda connection: refund_payment(connection, shell_operator(), reference, reason))
    print(f"{payment.reference}: {payment.state}")


@payments_app.command("sent-back")
def sent_back(
    reference: Annotated[str, typer.Argument(help="Of a payment that `check` lists as SEND BACK.")],
    reason: Reason = "sent back from the bank",
) -> None:
    """Book that you have sent a payment, or an unclaimed receipt, back by hand from your bank."""
    from kswifi.cli.desk.opened import shell_operator, write
    from kswifi.desk.payments import sent_back_by_hand

    kobo = write(lambda connection: sent_back_by_hand(connection, shell_operator(), reference, reason))
    print(f"{reference}: {kobo} kobo, sent back by hand")


@payments_app.command("rehearse")
def rehearse(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens, on this machine alone.")] = 8086,
    key: Annotated[
        str, typer.Option(help="The key that the server shows it: sk_test_...")
    ] = "sk_test_rehearsal_0001",
    webhook: Annotated[
        str, typer.Option(help="Where it tells what happened.")
    ] = "http://127.0.0.1:8080/webhooks/paystack",
    file: Annotated[Path | None, typer.Option(help="Where it keeps its charges; else in memory.")] = None,
) -> None:
    """Serve a gateway that answers like Paystack, until Ctrl-C. No money moves."""
    from kswifi.lab.process import stop_on_signals
    from kswifi.lab.rehearsal.payments.server import GatewayConfig, serving_gateway

    if not key.startswith(_TEST_KEY):
        raise ONLY_A_REHEARSAL("rehearse with a key of your own making that begins with sk_test_, never a live one")

    async def work() -> None:
        config = GatewayConfig(face="paystack", secret=key, webhook_url=webhook, file=file, port=port)
        stop = stop_on_signals()
        async with serving_gateway(config) as origin:
            print(
                f"SANDBOX: answers as Paystack does at {origin}; no money moves. Start the server with\n"
                f"  KSWIFI_PAYSTACK_SECRET_KEY={key}\n  KSWIFI_PAYSTACK_URL={origin}\n"
                "  KSWIFI_PAYMENTS_EMAIL=you@example.ng\n"
                "docs/payments.md tells how to have it go wrong. Stop with Ctrl-C.",
                flush=True,
            )
            await stop.wait()

    run_async(work())


async def _look(settings: "Settings", installation: "Installation") -> dict[str, Any]:
    from kswifi.bootstrap.parts.payments import make_gateway
    from kswifi.providers.payments.registry import unconfirmed_details

    name = settings.payment_gateway_name
    gateway = make_gateway(settings, installation) if _has_key(settings, installation) else None
    wrong = None if name is None else "the server has not been started here yet"
    if gateway is not None:
        wrong = await gateway.check()
        await gateway.close()
    live = gateway is not None and not gateway.sandbox
    return {
        "gateway": name,
        "money_moves": live,
        "works": name is not None and wrong is None,
        "wrong": wrong,
        "webhook": None if name is None else f"{settings.origin}/webhooks/{name}",
        "fair_use_octets": settings.pass_fair_use_octets,
        "sessions_at_once": settings.pass_sessions_at_once,
        "payments": await _counts(installation, name),
        "to_do": _to_do(settings) if live else [],
        "unconfirmed": [] if name is None else list(unconfirmed_details(name)),
    }


def _has_key(settings: "Settings", installation: "Installation") -> bool:
    """Tell whether there is a key; for the sandbox, the first start makes it and this check does not."""
    return settings.payment_gateway_name not in (None, "sandbox") or installation.sandbox_key.exists()


def _to_do(settings: "Settings") -> list[str]:
    """Return what has to be done before real money can be taken."""
    missing = []
    if not settings.origin.startswith("https://"):
        missing.append(f"payers come back to {settings.origin}: set KSWIFI_PUBLIC_ORIGIN to an https:// address")
    if settings.paystack_url != "https://api.paystack.co":
        missing.append(f"a live key is shown to {settings.paystack_url}, which is not Paystack")
    return missing


async def _counts(installation: "Installation", gateway: str | None) -> dict[str, Any]:
    from kswifi.cli.money.reconciling import item_json
    from kswifi.database.engine import Database
    from kswifi.payments.gateway_items import open_disputes, unclaimed_receipts
    from kswifi.payments.reconciliation import findings_left
    from kswifi.payments.store import counts, needing_a_person

    if not installation.has_database:
        return {"states": {}, "needing_a_person": [], "disputes": [], "unclaimed": [], "differences": []}
    database = Database(installation.database_url)
    try:

        def look(connection: "Connection") -> dict[str, Any]:
            states = {str(state): count for state, count in counts(connection).items()}
            waiting = [
                {"reference": it.reference, "amount_kobo": it.refund_kobo, "reason": it.reason}
                for it in needing_a_person(connection)
            ]
            return {
                "states": states,
                "needing_a_person": waiting,
                "disputes": [item_json(it) for it in open_disputes(connection)],
                "unclaimed": [item_json(it) for it in unclaimed_receipts(connection)],
                "differences": findings_left(connection, gateway or ""),
            }

        return await database.read(look)
    finally:
        await database.close()


def _show(found: dict[str, Any]) -> None:
    from kswifi.kernel.quantities import format_octets

    name = found["gateway"]
    if name is None:
        print("No gateway takes payments: set KSWIFI_PAYSTACK_SECRET_KEY (docs/payments.md).")
        return
    limit = found["fair_use_octets"]
    print(f"gateway        {name} ({'LIVE: money moves' if found['money_moves'] else 'SANDBOX: no money moves'})")
    print(f"works          {'yes' if found['works'] else 'NO: ' + str(found['wrong'])}")
    print(f"webhook        {found['webhook']}" + ("" if name == "sandbox" else f"  (enter it at {name})"))
    print(f"fair use       {'no limit' if limit is None else format_octets(limit) + ' a pass'}")
    for state, count in found["payments"]["states"].items():
        print(f"payments       {count} {state}")
    for one in found["payments"]["needing_a_person"]:
        print(f"SEND BACK      {one['reference']}: {one['amount_kobo']} kobo ({one['reason']})")
    show_items(found["payments"])
    for words in found["to_do"]:
        print(f"TO DO          {words}")
    for words in found["unconfirmed"]:
        print(f"unconfirmed    {words}")
