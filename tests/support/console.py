"""The console over a road with a customer, spoken to without a socket, and a member of staff of each role."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import httpx2
from sqlalchemy import Connection

from kswifi.accounts.ceremonies import Ceremonies
from kswifi.accounts.relying_party import RelyingParty
from kswifi.catalogue.service import Catalogue
from kswifi.console.app import create_console
from kswifi.console.services import ConsoleServices
from kswifi.desk.callers import CallerChecks
from kswifi.desk.roles import Operator, Role
from kswifi.desk.staff import Member, StaffPasskeys, add_member, begin_login, find_member
from kswifi.desk.venue_reports import ReportLinks
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules
from kswifi.sessions.disputes import open_dispute
from kswifi.sessions.model import InternetSession
from kswifi.vouchers.batches import make_batch
from kswifi.vouchers.codes import VoucherCodes
from tests.support.clocks import ManualClock
from tests.support.free_data import MASTER
from tests.support.session_roads import ADA, GB, Road, open_road

ORIGIN: Final = "http://localhost:8088"
SHELL: Final = Operator("root", Role.SHELL)
DISPUTE: Final = "019ab0de-0000-7000-8000-00000000d1d1"
VOUCHER_KEY: Final = bytes(range(32))
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Desk:
    """A member of staff at the console, with the token that its forms carry."""

    client: httpx2.AsyncClient
    csrf: str

    async def get(self, path: str) -> httpx2.Response:
        return await self.client.get(path)

    async def post(
        self, path: str, form: Mapping[str, str] | None = None, csrf: str | None = None
    ) -> httpx2.Response:
        fields = {"csrf": self.csrf if csrf is None else csrf, **(form or {})}
        return await self.client.post(path, data=fields)


@dataclass
class Console:
    """The console, its road, and what the customer Ada has."""

    road: Road
    services: ConsoleServices
    transport: httpx2.ASGITransport
    session: InternetSession
    reference: str

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(transport=self.transport, base_url=ORIGIN) as client:
            yield client

    async def member(self, role: Role) -> Member:
        """Return the member of a role, added at the first call."""

        def change(connection: Connection) -> Member:
            name = f"a-{role}"
            try:
                return find_member(connection, name)
            except Exception:  # noqa: BLE001 - the first call
                add_member(connection, SHELL, name, role)
                return find_member(connection, name)

        return await self.road.database.write(change)

    @asynccontextmanager
    async def desk(self, role: Role) -> AsyncIterator[Desk]:
        """Give the console to a signed-in member of a role."""
        member = await self.member(role)
        login = await self.road.database.write(lambda connection: begin_login(connection, member))
        async with self.visitor() as client:
            client.cookies.set("kswifi_staff", login.token)
            found = _CSRF.search((await client.get("/")).text)
            assert found is not None
            yield Desk(client, found.group(1))


@asynccontextmanager
async def open_console(
    folder: Path, clock: ManualClock | None = None, *, demo: bool = False
) -> AsyncIterator[Console]:
    """Give the console of a road on which Ada has a stored session, a payment and an open dispute."""
    async with open_road(folder, FreeDataRules(cost_kobo_per_gb=20_000), clock) as road:
        session, payment = await road.stored(GB), await road.pay()

        def change(connection: Connection) -> None:
            open_dispute(connection, ADA, session.session_id, DISPUTE, "This <b>is</b> too much", [])
            make_batch(connection, "Mama Put", 24, session.valid_until)

        await road.database.write(change)
        ceremonies = Ceremonies(road.database, RelyingParty.of(ORIGIN))
        services = ConsoleServices(
            database=road.database,
            passkeys=StaffPasskeys(road.database, ceremonies),
            callers=CallerChecks(Marks(MASTER).digest),
            catalogue=Catalogue.load(),
            codes=VoucherCodes(VOUCHER_KEY),
            rules=road.free_data.rules,
            zone=ZoneInfo("Africa/Lagos"),
            origin=ORIGIN,
            allowed_hosts=frozenset({"localhost"}),
            reports=ReportLinks(Marks(MASTER).digest),
            public_origin=ORIGIN,
            demo=demo,
        )
        transport = httpx2.ASGITransport(create_console(services))
        yield Console(road, services, transport, session, payment.reference)
