"""`kswifi bench desk`: how long a search, today's page and the page about fraud take at a desk with many customers.

The database is filled by bulk inserts with what the searches look through: accounts, lines, sessions, payments,
vouchers, free grants and a year of figures. The console then serves real requests in this process, without a
socket: sign-in, query, and the rendering of the page are measured.
"""

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2
from sqlalchemy import Connection

from kswifi.accounts.ceremonies import Ceremonies
from kswifi.accounts.relying_party import RelyingParty
from kswifi.bench.disk import file_system_of
from kswifi.catalogue.service import Catalogue
from kswifi.console.app import create_console
from kswifi.console.pages.sign_in import cookie_name
from kswifi.console.services import ConsoleServices
from kswifi.database.engine import Database, sqlite_url
from kswifi.database.migrate import migrate
from kswifi.database.types import unix_microseconds
from kswifi.desk.callers import CallerChecks
from kswifi.desk.figures.model import FIGURES, days_between
from kswifi.desk.roles import Operator, Role
from kswifi.desk.staff import StaffPasskeys, add_member, begin_login, find_member
from kswifi.desk.venue_reports import ReportLinks
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.clock import Clock, SystemClock
from kswifi.kernel.errors import KswifiError
from kswifi.vouchers.codes import VoucherCodes

KINDS: Final = (
    "phone",
    "part_of_phone",
    "email",
    "part_of_email",
    "iccid",
    "imsi",
    "payment",
    "voucher",
    "session",
)
_ORIGIN: Final = "http://localhost:8088"
_KEY: Final = bytes(range(32))
_SEED: Final = 16
_FIGURE_DAYS: Final = 400
_DIMENSIONS: Final = ("", *(f"offer:offer-{number}" for number in range(5)), *(f"venue:{it}" for it in range(20)))
_DEVICES_OF_FARMS: Final = 40
_ACCOUNTS_OF_A_FARM: Final = 200


class DeskBenchFailedError(KswifiError):
    """A search did not find the customer whom it looked for."""

    code = "desk_bench_failed"


@dataclass(frozen=True, slots=True)
class DeskBench:
    """The size of the measurement; the database is made in ``folder`` and removed."""

    accounts: int = 1_000_000
    searches: int = 450
    pages: int = 40
    folder: Path | None = None


def run_desk_bench(bench: DeskBench) -> dict[str, float | int | str]:
    """Fill a database, measure, and return the figures: times in milliseconds.

    Raises:
        DeskBenchFailedError: a search did not find its customer.
    """
    with tempfile.TemporaryDirectory(dir=bench.folder, prefix=".kswifi-bench-") as name:
        path, clock = Path(name, "control.db"), SystemClock()
        began = time.monotonic()
        asyncio.run(_migrate(path, clock))
        fill(path, bench.accounts, clock.now())
        filled = time.monotonic() - began
        figures = asyncio.run(_measure(path, bench, clock))
        return {
            **figures,
            "accounts": bench.accounts,
            "searches": bench.searches,
            "fill_seconds": round(filled, 1),
            "database_octets": path.stat().st_size,
            "file_system": file_system_of(path.parent),
        }


def fill(path: Path, accounts: int, now: datetime) -> None:
    """Fill a migrated SQLite database that nobody else uses; the same arguments give the same rows."""
    at = unix_microseconds(now)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("BEGIN")
        _insert(
            database,
            "user_account",
            "user_id phone_number email password_hash recovery_code_hash created_at",
            ((user_id(n), phone(n), email(n), "-", bytes(32), at - 10**6 * n) for n in range(accounts)),
        )
        _fill_lines(database, range(0, accounts, 2), at)
        _fill_money(database, accounts, at)
        _insert(database, "figure_day", "day name dimension value", _figures(now.date()))
        database.execute("COMMIT")
        database.execute("ANALYZE")


def _fill_lines(database: sqlite3.Connection, lines: range, at: int) -> None:
    _insert(
        database,
        "esim",
        "esim_id user_id iccid imsi profile_state wants_pause wish seq ind created_at",
        ((line_id(n), user_id(n), iccid(n), imsi(n), "installed", 0, 0, 0, 0, at) for n in lines),
    )
    _insert(
        database,
        "internet_session",
        "session_id user_id esim_id offer_id free allowance_octets state ordered_at valid_until idempotency_key",
        (
            (session_id(n), user_id(n), line_id(n), "free-1gb", 1, 10**9, "stored", at, at + 10**12, "key")
            for n in lines
        ),
    )
    _insert(
        database,
        "free_grant",
        "session_id user_id device_mark octets used_octets released_octets cost_kobo_per_gb reserved_kobo "
        "spent_kobo ordered_at ordered_on",
        (
            (session_id(n), user_id(n), device(n), 10**9, 0, 10**9, 0, 0, 0, at - 10**6 * n, "2026-01-01")
            for n in lines
        ),
    )


def _fill_money(database: sqlite3.Connection, accounts: int, at: int) -> None:
    _insert(
        database,
        "payment",
        "reference user_id offer_id title amount_kobo valid_days gateway sandbox state created_at settled_at",
        (
            (reference(n), user_id(n), "unlimited", "Unlimited", 80_000, 7, "sandbox", 1, "settled", at, at)
            for n in range(0, accounts, 10)
        ),
    )
    vouchers = range(0, accounts, 20)
    _insert(
        database,
        "voucher_batch",
        "batch_id venue first_serial vouchers made_at expires_at",
        [(1, "Mama Put", 0, len(vouchers), at, at + 10**12)],
    )
    _insert(
        database,
        "voucher",
        "serial batch_id user_id redeemed_at",
        ((n // 20, 1, user_id(n), at) for n in vouchers),
    )


def user_id(number: int) -> str:
    """Return the id of an account; a larger number is an older account."""
    return str(UUID(int=(1 << 127) - number << 1 & (1 << 128) - 1))


def line_id(number: int) -> str:
    """Return the id of an account's line."""
    return str(UUID(int=1 << 100 | number))


def session_id(number: int) -> str:
    """Return the id of an account's session."""
    return str(UUID(int=1 << 101 | number))


def phone(number: int) -> str | None:
    """Return the phone number of six accounts in ten, in no order; None for the others."""
    return f"+23480{number * 61_803_399 % 10**8:08}" if number % 10 < 6 else None


def email(number: int) -> str | None:
    """Return the email address of the others."""
    return None if number % 10 < 6 else f"{number * 2_654_435_761 % 2**32:08x}@example.ng"


def iccid(number: int) -> str:
    """Return the ICCID of an account's line."""
    return f"8923401{number:013}"


def imsi(number: int) -> str:
    """Return the IMSI of an account's line."""
    return f"62130{number:010}"


def reference(number: int) -> str:
    """Return the reference of an account's payment."""
    return f"kswifi-{number:012x}"


def device(number: int) -> str:
    """Return the mark of an account's device: the newest accounts share some devices."""
    shared = number < 2 * _DEVICES_OF_FARMS * _ACCOUNTS_OF_A_FARM
    return f"{number // (2 * _ACCOUNTS_OF_A_FARM) if shared else number + 10**6:064x}"


def _figures(last: date) -> Iterator[tuple[str, str, str, int]]:
    luck = random.Random(_SEED)  # noqa: S311 - figures that repeat, no secrets
    for day in days_between(last - timedelta(days=_FIGURE_DAYS - 1), last):
        for name in FIGURES:
            for dimension in _DIMENSIONS:
                yield day.isoformat(), name, dimension, luck.randrange(10**9)


def _insert(database: sqlite3.Connection, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" for _ in columns.split())
    # The names are constants of this module.
    database.executemany(f"INSERT INTO {table} ({columns.replace(' ', ', ')}) VALUES ({marks})", rows)  # noqa: S608


async def _migrate(path: Path, clock: Clock) -> None:
    database = Database(sqlite_url(path), clock)
    try:
        await migrate(database)
    finally:
        await database.close()


async def _measure(path: Path, bench: DeskBench, clock: Clock) -> dict[str, float | int | str]:
    database = Database(sqlite_url(path), clock)
    try:
        services = _services(database)

        def sign_in(connection: Connection) -> str:
            add_member(connection, Operator("bench", Role.SHELL), "bench", Role.FOUNDER)
            return begin_login(connection, find_member(connection, "bench")).token

        token = await database.write(sign_in)
        transport = httpx2.ASGITransport(create_console(services))
        async with httpx2.AsyncClient(transport=transport, base_url=_ORIGIN) as client:
            client.cookies.set(cookie_name(services), token)
            searches = await _search(client, bench, services.codes)
            return {**searches, **await _pages(client, bench.pages)}
    finally:
        await database.close()


def _services(database: Database) -> ConsoleServices:
    return ConsoleServices(
        database=database,
        passkeys=StaffPasskeys(database, Ceremonies(database, RelyingParty.of(_ORIGIN))),
        callers=CallerChecks(Marks(_KEY).digest),
        catalogue=Catalogue.load(),
        codes=VoucherCodes(_KEY),
        rules=FreeDataRules(),
        zone=ZoneInfo("Africa/Lagos"),
        origin=_ORIGIN,
        allowed_hosts=frozenset({"localhost"}),
        reports=ReportLinks(Marks(_KEY).digest),
        public_origin=_ORIGIN,
    )


async def _search(
    client: httpx2.AsyncClient, bench: DeskBench, codes: VoucherCodes
) -> dict[str, float | int | str]:
    luck = random.Random(_SEED)  # noqa: S311 - figures that repeat, no secrets
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(bench.searches):
        kind = KINDS[number % len(KINDS)]
        customer, word = _word(kind, luck, bench.accounts, codes)
        began = time.perf_counter()
        answer = await client.get("/search", params={"word": word})
        times[kind].append(time.perf_counter() - began)
        found = answer.headers.get("location", "") + answer.text
        if customer is not None and user_id(customer) not in found:
            raise DeskBenchFailedError(f"a search by {kind} did not find its customer", status=answer.status_code)
    everything = [seconds for found in times.values() for seconds in found]
    slowest = max(KINDS, key=lambda kind: _ms(times[kind], 95))
    return {
        "search_p50_ms": _ms(everything, 50),
        "search_p95_ms": _ms(everything, 95),
        "search_max_ms": _ms(everything, 100),
        "search_slowest_kind": slowest,
        "search_slowest_kind_p95_ms": _ms(times[slowest], 95),
    }


def _word(kind: str, luck: random.Random, accounts: int, codes: VoucherCodes) -> tuple[int | None, str]:
    """Return an account and a word that finds it; no account for a part, which finds the first of many."""
    any_one = luck.randrange(accounts // 20) * 20
    with_email = any_one + 6
    words: dict[str, tuple[int | None, str]] = {
        "phone": (any_one, f"0{(phone(any_one) or '')[4:]}"),
        "part_of_phone": (None, f"0{(phone(any_one) or '')[4:9]}"),
        "email": (with_email, str(email(with_email))),
        "part_of_email": (None, str(email(with_email))[:4]),
        "iccid": (any_one, iccid(any_one)),
        "imsi": (any_one, imsi(any_one)),
        "payment": (any_one, reference(any_one)),
        "voucher": (any_one, codes.code(any_one // 20)),
        "session": (any_one, session_id(any_one)),
    }
    return words[kind]


async def _pages(client: httpx2.AsyncClient, count: int) -> dict[str, float | int | str]:
    figures: dict[str, float | int | str] = {}
    for name, path, times in (("today", "/", count), ("fraud", "/fraud", max(3, count // 10))):
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            answer = await client.get(path)
            seconds.append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise DeskBenchFailedError(f"the page {path} was not served", status=answer.status_code)
        figures[f"{name}_p50_ms"], figures[f"{name}_max_ms"] = _ms(seconds, 50), _ms(seconds, 100)
    return figures


def _ms(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile (nearest rank) in milliseconds."""
    ordered = sorted(seconds)
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)] * 1000, 2)
