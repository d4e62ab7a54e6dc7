"""`kswifi payments reconcile` and `kswifi payments unclaimed`: compare books and payments with the gateway."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kswifi.cli.running import run_async
from kswifi.kernel.errors import KswifiError

if TYPE_CHECKING:
    from kswifi.database.engine import Database
    from kswifi.payments.gateway_items import GatewayItem
    from kswifi.payments.reconciliation import Report

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
_DAYS: Final = 7
_MOST_DAYS: Final = 366


class NothingToReconcileError(KswifiError):
    """No gateway takes payments here, no server was ever started here, or the days are not in order."""

    code = "nothing_to_reconcile"


def reconcile(
    first: Annotated[str | None, typer.Option("--from", help="First day, as 2026-11-30 (UTC).")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else today.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare payments and books with the gateway; book differences; exit status 1 if a person is needed.

    Without --from, the last seven days. Idempotent; the server may run.
    """
    reports = run_async(_reconcile(*_days(first, last)))
    found = _shown(reports)
    if as_json:
        print(json.dumps(found))
    else:
        for one in found["found"]:
            print(f"found          {_words(one)}")
        for one in found["differences"]:
            print(f"DIFFERS        {_words(one)}")
        show_items({"disputes": found["disputes"], "unclaimed": found["unclaimed"]})
        print(f"{len(reports)} days compared, {len(found['found'])} differences, {len(found['differences'])} left")
    if any(it.needs_a_person for it in reports):
        raise SystemExit(1)


def unclaimed(as_json: AsJson = False) -> None:
    """List money that was paid for a deleted payment: refund it at the gateway, or from your bank."""
    from kswifi.payments.gateway_items import unclaimed_receipts

    async def work() -> list["GatewayItem"]:
        async with _database() as database:
            return await database.read(unclaimed_receipts)

    found = [item_json(it) for it in run_async(work())]
    if as_json:
        print(json.dumps({"unclaimed": found}))
    else:
        show_items({"unclaimed": found})
        print(f"{len(found)} unclaimed")


def show_items(found: Mapping[str, Any]) -> None:
    """Print open disputes, unclaimed receipts and remaining differences, one per line."""
    for one in found.get("disputes", ()):
        due = one["due_at"] or "an unknown time"
        print(f"DISPUTE        {one['reference']}: {one['amount_kobo']} kobo; answer it at the gateway by {due}")
    for one in found.get("unclaimed", ()):
        print(f"UNCLAIMED      {one['reference']}: {one['amount_kobo']} kobo; refund it at the gateway")
    for one in found.get("differences", ()):
        print(f"DIFFERS        {_words(one)}")


def item_json(item: "GatewayItem") -> dict[str, Any]:
    """Return a dispute or an unclaimed receipt as a JSON object."""
    return {
        "gateway": item.gateway,
        "id": item.item_id,
        "reference": item.reference,
        "amount_kobo": item.amount_kobo,
        "due_at": None if item.due_at is None else item.due_at.isoformat(),
    }


def _days(first: str | None, last: str | None) -> tuple[date, date]:
    from kswifi.kernel.clock import SystemClock

    today = SystemClock().now().date()
    try:
        to_day = today if last is None else date.fromisoformat(last)
        from_day = to_day - timedelta(days=_DAYS - 1) if first is None else date.fromisoformat(first)
    except ValueError as error:
        raise NothingToReconcileError("a day is written as 2026-11-30") from error
    if not from_day <= to_day <= today or (to_day - from_day).days >= _MOST_DAYS:
        raise NothingToReconcileError(f"the days are in order, not in the future, and at most {_MOST_DAYS}")
    return from_day, to_day


async def _reconcile(first: date, last: date) -> list["Report"]:
    from kswifi.bootstrap.parts.payments import make_gateway
    from kswifi.data_directory.layout import installation_of
    from kswifi.payments.reconciliation import Reconciler, day_window
    from kswifi.payments.rules import PassRules
    from kswifi.settings import load_settings

    settings = load_settings()
    async with _database() as database:
        gateway = make_gateway(settings, installation_of(settings))
        if gateway is None:
            raise NothingToReconcileError("no gateway takes payments here")
        try:
            reconciler = Reconciler(database, gateway, PassRules(zone=settings.zone))
            days = (first + timedelta(days=number) for number in range((last - first).days + 1))
            return [await reconciler.run(day_window(day)) for day in days]
        finally:
            await gateway.close()


@asynccontextmanager
async def _database() -> AsyncIterator["Database"]:
    from kswifi.data_directory.layout import installation_of
    from kswifi.database.engine import Database
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.has_database:
        raise NothingToReconcileError(
            f"there is no {installation.control_database}: name the data directory by KSWIFI_DATA_DIR"
        )
    database = Database(installation.database_url)
    try:
        yield database
    finally:
        await database.close()


def _shown(reports: list["Report"]) -> dict[str, Any]:
    from kswifi.payments.reconciliation import finding_json

    def findings(name: str) -> list[dict[str, Any]]:
        return [
            {"day": report.window.from_at.date().isoformat(), **finding_json(it)}
            for report in reports
            for it in getattr(report, name)
        ]

    last = reports[-1]
    return {
        "found": findings("found"),
        "differences": findings("left"),
        "disputes": [item_json(it) for it in last.disputes],
        "unclaimed": [item_json(it) for it in last.unclaimed],
    }


def _words(finding: Mapping[str, Any]) -> str:
    what = " ".join(str(finding[name]) for name in ("reference", "item_id") if name in finding)
    kobo = "".join(
        f", {side} {finding[f'{side}_kobo']} kobo" for side in ("here", "there") if f"{side}_kobo" in finding
    )
    words = f": {finding['words']}" if "words" in finding else ""
    return f"{finding['day']} {finding['kind']} {what}{kobo}{words}"
