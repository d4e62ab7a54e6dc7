"""The API of vouchers: a venue's code typed in, and the free order that it gives."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from kswifi.desk.venue_reports import ReportLinks
from kswifi.free_data.budgets import find_budget, set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import Requirement
from kswifi.vouchers.batches import make_batch, revoke_batch
from kswifi.vouchers.codes import VoucherCodes
from tests.support.api import problem
from tests.support.session_api import VOUCHER_KEY, Served, served

REDEEM = "/api/v1/vouchers/redeem"
CODES = VoucherCodes(VOUCHER_KEY)


async def test_a_guests_voucher_gives_one_free_order_at_the_venues_cost(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        await _make(api)
        refused = problem(await api.post("/api/v1/sessions", {"offer_id": "free-1gb"}), 403, "voucher_needed")
        assert refused["facts"]["do"] == "redeem_voucher"
        redeemed = await api.post(REDEEM, {"code": CODES.code(0).lower()}, "one-and-the-same-key")
        assert redeemed.status_code == 200
        assert redeemed.json() == {
            "venue": "Mama Put",
            "redeemed_at": "2026-11-23T09:00:00.000Z",
            "expires_at": "2026-11-30T09:00:00.000Z",
            "session_id": None,
            "offer_id": None,
        }
        again = await api.post(REDEEM, {"code": CODES.code(0).lower()}, "one-and-the-same-key")
        assert again.json() == redeemed.json()
        session = (await api.order()).rsplit("/", 1)[1]
        assert (
            await api.road.database.read(lambda connection: find_budget(connection, "cafe").reserved_kobo) == 20_000
        )
        exported = (await api.get("/api/v1/account/export")).json()
        assert [it["session_id"] for it in exported["vouchers"]] == [session]
        problem(await api.post("/api/v1/sessions", {"offer_id": "free-1gb"}), 403, "voucher_needed")
        told = (await api.get("/api/v1/free-data")).json()
        assert (told["required"], told["offers"][0]["refusal"]["code"]) == ("voucher", "voucher_needed")


async def test_what_is_not_good_is_refused_by_its_reason_and_guessing_is_stopped(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        await _make(api)
        problem(await api.post(REDEEM, {"code": "0000-0000-0000"}), 404, "unknown_voucher")
        await api.post(REDEEM, {"code": CODES.code(0)})
        async with api.another("chidi@example.ng") as other:
            problem(await other.send("POST", REDEEM, {"code": CODES.code(0)}), 409, "voucher_used")
        await api.road.database.write(lambda connection: revoke_batch(connection, 1))
        problem(await api.post(REDEEM, {"code": CODES.code(1)}), 410, "voucher_revoked")
        for _ in range(7):
            problem(await api.post(REDEEM, {"code": "made up"}), 404, "unknown_voucher")
        stopped = await api.post(REDEEM, {"code": CODES.code(1)})
        problem(stopped, 429, "too_many_attempts")
        assert int(stopped.headers["retry-after"]) > 0


async def test_a_venue_reads_its_report_by_a_signed_link(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        await _make(api)
        links = ReportLinks(api.road.free_data.marks.digest)
        now = api.road.clock.now()
        token = links.token("Mama Put", now + timedelta(days=90))
        async with api.another("chidi@example.ng") as other:  # the link is the credential, not the account
            report = await other.send("GET", f"/api/v1/venue-reports/{token}.csv")
        assert (report.status_code, report.headers["cache-control"]) == (200, "no-store")
        assert report.text.splitlines()[:2] == [
            "from,to,vouchers,orders,activated,octets",
            "2026-11-23,2026-11-29,0,,,",
        ]
        pdf = await api.get(f"/api/v1/venue-reports/{token}.pdf")
        assert pdf.content.startswith(b"%PDF-")
        forged = ReportLinks(lambda *_: bytes(32)).token("Mama Put", now + timedelta(days=90))
        for wrong in (forged, links.token("Mama Put", now), token[:-2] + "AA", "A" * 40, "A" * 21):
            problem(await api.get(f"/api/v1/venue-reports/{wrong}.csv"), 404, "report_link_invalid")


async def _make(api: Served) -> None:
    """Have a venue with a budget and vouchers, and ask for them."""
    free_data = api.road.free_data
    free_data.rules = replace(free_data.rules, required=Requirement.VOUCHER, cost_kobo_per_gb=20_000)

    def change(connection: Connection) -> None:
        set_budget(connection, "cafe", BudgetKind.VENUE, 100_000)
        until = api.road.clock.now() + timedelta(days=7)
        make_batch(connection, "Mama Put", 3, until, "cafe")

    await api.road.database.write(change)
