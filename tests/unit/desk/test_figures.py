"""Figures: what is followed live, in any pieces and with late rows, equals a rebuild and a plain count."""

import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert, select, text, update

from kswifi.accounts.sql import user_account
from kswifi.books.model import Account
from kswifi.books.service import post
from kswifi.catalogue.model import LAGOS
from kswifi.database.engine import Database
from kswifi.desk.figures.model import FIGURES, reason_dimension, span_of
from kswifi.desk.figures.projector import FigureProjector
from kswifi.desk.figures.report import as_csv, figures_between, totals, venue_figures
from kswifi.desk.figures.sources import SOURCES
from kswifi.desk.figures.sql import figure_day
from kswifi.free_data.budgets import set_budget
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.sql import free_grant
from kswifi.kernel.local_days import local_day
from kswifi.sessions.sql import internet_session, session_timeline
from kswifi.vouchers.batches import make_batch
from kswifi.vouchers.service import use_voucher
from kswifi.vouchers.sql import voucher
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

pytestmark = pytest.mark.sqlite  # rows are made in SQLite's words

Cells = dict[tuple[str, str, str], int]
GB = 10**9
OFFERS = ("free-1gb", "free-3gb")


def _id(kind: int, number: int) -> str:
    return str(UUID(int=(7 << 76) | (2 << 62) | kind << 40 | number))


class Business:
    """A business that happens in rows, at random, on a clock; it keeps a plain count of a few figures."""

    def __init__(self, database: Database, clock: ManualClock, seed: int) -> None:
        self.database, self.clock = database, clock
        self.random = random.Random(seed)
        self.users: list[str] = []
        self.sessions: list[tuple[str, str]] = []
        self.entries = self.serials = 0
        self.counted: Counter[tuple[str, str, str]] = Counter()
        self.active: dict[str, set[str]] = {}

    async def begin(self) -> None:
        def change(connection: Connection) -> None:
            set_budget(connection, "operator", BudgetKind.OPERATOR, 10**9)
            set_budget(connection, "cafe", BudgetKind.VENUE, 10**9)
            make_batch(connection, "Mama Put", 9_000, self.clock.now() + timedelta(days=90), "cafe")
            self.sign_up(connection)

        await self.database.write(change)

    async def happen(self) -> None:
        """Let one thing happen."""
        step = self.random.choice((self.sign_up, self.order, self.order, self.move, self.move, self.use, self.book))
        await self.database.write(step)

    def day(self, at: datetime) -> str:
        return local_day(at, LAGOS).isoformat()

    def sign_up(self, connection: Connection) -> None:
        user_id, now = _id(1, len(self.users)), self.clock.now()
        self.users.append(user_id)
        row = {"user_id": user_id, "email": f"{user_id}@example.ng", "password_hash": "", "recovery_code_hash": b""}
        connection.execute(insert(user_account).values(**row, created_at=now))
        self.counted[self.day(now), "sign_ups", ""] += 1

    def order(self, connection: Connection) -> None:
        session_id, user_id, now = _id(2, len(self.sessions)), self.random.choice(self.users), self.clock.now()
        offer = self.random.choice(OFFERS)
        self.sessions.append((session_id, user_id))
        connection.execute(
            insert(internet_session).values(
                session_id=session_id,
                user_id=user_id,
                esim_id=_id(3, 0),
                offer_id=offer,
                free=True,
                allowance_octets=GB,
                state="ordered",
                ordered_at=now,
                valid_until=now + timedelta(days=30),
                idempotency_key=session_id,
            )
        )
        with_voucher = self.random.random() < 0.5
        budget = "cafe" if with_voucher else "operator"
        marks = {"octets": GB, "used_octets": 0, "released_octets": GB, "cost_kobo_per_gb": 20_000}
        money = {"budget_id": budget, "reserved_kobo": 20_000, "spent_kobo": 0, "ordered_at": now}
        grant = {"session_id": session_id, "user_id": user_id, **marks, **money, "ordered_on": self.day(now)}
        connection.execute(insert(free_grant).values(**grant))
        if with_voucher:
            self.serials += 1
            taken = {"serial": self.serials, "batch_id": 1, "user_id": user_id, "redeemed_at": now}
            connection.execute(insert(voucher).values(**taken))
            use_voucher(connection, self.serials, session_id)
            self.counted[self.day(now), "vouchers", "venue:Mama Put"] += 1
            self.counted[self.day(now), "orders", "venue:Mama Put"] += 1
        connection.execute(
            text(
                "INSERT INTO free_budget_day VALUES (:day, :budget, 20000) ON CONFLICT DO UPDATE SET"
                " committed_kobo = committed_kobo + 20000"
            ),
            {"day": self.day(now), "budget": budget},
        )
        self.note(connection, session_id, "ordered", now)
        self.counted[self.day(now), "orders", ""] += 1
        self.counted[self.day(now), "orders", f"offer:{offer}"] += 1

    def note(
        self, connection: Connection, session_id: str, state: str, at: datetime, reason: str | None = None
    ) -> None:
        row = {"session_id": session_id, "state": state, "reason": reason, "at": at}
        connection.execute(insert(session_timeline).values(**row))

    def move(self, connection: Connection) -> None:
        if not self.sessions:
            return
        session_id, _ = self.random.choice(self.sessions)
        state = self.random.choice(("downloaded", "transfer_failed", "stored", "active", "exhausted", "failed"))
        at = self.clock.now()
        if state == "active":
            query = select(internet_session.c.activated_at).where(internet_session.c.session_id == session_id)
            if connection.scalar(query) is not None:
                self.note(connection, session_id, "active", at)  # a pause ends: counted once only
                return
            at -= timedelta(hours=self.random.randrange(60))  # first octets are projected late
            changed = update(internet_session).where(internet_session.c.session_id == session_id)
            connection.execute(changed.values(activated_at=at))
            self.counted[self.day(at), "activated", ""] += 1
        if state in ("transfer_failed", "failed"):
            number = self.random.randrange(3)
            self.note(
                connection, session_id, "failed" if state == "failed" else "downloaded", at, f"card {number} full"
            )
            self.counted[self.day(at), "failures", "reason:card full"] += 1
            return
        self.note(connection, session_id, state, at)
        if state == "downloaded":
            self.counted[self.day(at), "downloads", ""] += 1

    def use(self, connection: Connection) -> None:
        if not self.sessions:
            return
        session_id, user_id = self.random.choice(self.sessions)
        late = timedelta(minutes=self.random.randrange(40))  # the records' projector is behind
        hour_at = (self.clock.now() - late).replace(minute=0, second=0, microsecond=0)
        octets = self.random.randrange(1, GB)
        connection.execute(
            text(
                "INSERT INTO charging_hour VALUES ('s', :hour, :account, :octets, 0, 0, 0, 1) ON CONFLICT DO UPDATE"
                " SET octets = octets + :octets"
            ),
            {"hour": int(hour_at.timestamp()) * 1_000_000, "account": session_id, "octets": octets},
        )
        self.counted[self.day(hour_at), "octets", ""] += octets
        self.active.setdefault(self.day(hour_at), set()).add(user_id)

    def book(self, connection: Connection) -> None:
        self.entries += 1
        at = self.clock.now() - timedelta(days=self.random.randrange(4))  # payments are settled as of their day
        kobo = self.random.randrange(1, 10**6)
        lines = [(Account.DEFERRED_REVENUE, kobo), (Account.EARNED_REVENUE, -kobo)]
        if self.random.random() < 0.3:
            lines = [(Account.REFUNDS_OWED, kobo), (Account.CASH_AT_GATEWAY, -kobo)]
        name = "revenue" if lines[1][0] is Account.EARNED_REVENUE else "refunds"
        post(connection, reference=f"e:{self.entries}", kind="test", lines=lines, at=at)
        self.counted[self.day(at), name, ""] += kobo


async def _cells(database: Database) -> Cells:
    rows = await database.read(lambda connection: connection.execute(select(figure_day)).all())
    return {(row.day, row.name, row.dimension): row.value for row in rows}


@pytest.mark.parametrize("seed", range(3))
async def test_live_figures_equal_rebuilt_ones_and_a_plain_count(tmp_path: Path, seed: int) -> None:
    clock = ManualClock(START)
    async with open_database(tmp_path, clock) as database:
        await database.write(lambda connection: connection.execute(text("PRAGMA defer_foreign_keys = ON")))
        business, live = Business(database, clock, seed), FigureProjector(database, LAGOS)
        await database.write(_a_line)
        await business.begin()
        for _ in range(300):
            await business.happen()
            clock.advance(timedelta(minutes=business.random.randrange(120)))
            if business.random.random() < 0.3:
                await live.catch_up()
        clock.advance(timedelta(hours=26))  # every day with usage is closed
        await live.catch_up()
        followed = await _cells(database)
        assert await live.catch_up() == 0
        assert await live.rebuild() == 0
        await database.write(lambda connection: connection.execute(text("DELETE FROM figure_day")))
        await live.rebuild()
        assert await _cells(database) == followed
    counted = business.counted
    assert {cell: followed.get(cell, 0) for cell in counted} == dict(counted)
    for day, people in business.active.items():
        assert followed[day, "active_1", ""] == len(people)
        week = [(date.fromisoformat(day) - timedelta(days=it)).isoformat() for it in range(7)]
        assert followed[day, "active_7", ""] == len(set().union(*(business.active.get(it, set()) for it in week)))
    assert sum(value for (_, name, dim), value in followed.items() if (name, dim) == ("cost_reserved", "")) == (
        20_000 * len(business.sessions)
    )


def _a_line(connection: Connection) -> None:
    first = {"user_id": _id(9, 9), "email": "first@example.ng", "password_hash": "", "recovery_code_hash": b""}
    connection.execute(insert(user_account).values(**first, created_at=START - timedelta(days=400)))
    connection.execute(
        text(
            "INSERT INTO esim (esim_id, user_id, iccid, imsi, matching_id, profile_state, wants_pause, wish,"
            " sealed_keys, seq, ind, created_at)"
            " VALUES (:esim, :user, '1', '2', '3', 'installed', 0, 0, '', 0, 0, 0)"
        ),
        {"esim": _id(3, 0), "user": _id(9, 9)},
    )


async def test_a_defect_of_the_following_would_be_seen(tmp_path: Path) -> None:
    """Rebuilding repairs rows that are wrong, too many, or missing, and says how many."""
    clock = ManualClock(START)
    async with open_database(tmp_path, clock) as database:
        business, live = Business(database, clock, 1), FigureProjector(database, LAGOS)
        await database.write(_a_line)
        await business.begin()
        for _ in range(60):
            await business.happen()
        await live.catch_up()
        right, today = await _cells(database), business.day(clock.now())

        def spoil(connection: Connection) -> None:
            connection.execute(update(figure_day).where(figure_day.c.name == "orders").values(value=1_000_000))
            connection.execute(text("DELETE FROM figure_day WHERE name = 'sign_ups'"))
            connection.execute(insert(figure_day).values(day=today, name="stored", dimension="offer:x", value=3))

        await database.write(spoil)
        assert await live.rebuild() >= 3
        assert await _cells(database) == right


async def test_a_venue_with_few_guests_is_not_shown(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with open_database(tmp_path, clock) as database:
        business, live = Business(database, clock, 1), FigureProjector(database, LAGOS)
        await database.write(_a_line)
        await business.begin()
        today = local_day(clock.now(), LAGOS)
        for guests, shown in ((4, False), (5, True)):
            while business.serials < guests:
                await database.write(business.order)
            await live.catch_up()
            (venue,) = await database.read(lambda connection: venue_figures(connection, today, today))
            figures = await database.read(lambda connection: figures_between(connection, today, today))
            assert (venue.vouchers, venue.orders is not None) == (guests, shown)
            assert any(it.dimension == "venue:Mama Put" for it in figures) is shown
            assert len(as_csv(figures).splitlines()) == len(figures) + 1
        whole = await database.read(lambda connection: totals(connection, today, today))
        assert whole["orders"] == len(business.sessions)


def test_every_figure_has_one_source() -> None:
    assert sorted(name for source in SOURCES for name in source.figures) == sorted(FIGURES)


def test_local_days_begin_at_local_midnight() -> None:
    span = span_of(date(2026, 11, 23), LAGOS)
    assert (span.begins_at.isoformat(), span.ends_at.isoformat()) == (
        "2026-11-22T23:00:00+00:00",
        "2026-11-23T23:00:00+00:00",
    )


def test_reasons_that_differ_in_numbers_are_one() -> None:
    assert reason_dimension("card 17 is full") == reason_dimension("card 3 is full") == "reason:card is full"
    assert reason_dimension(None) == "reason:unknown"
