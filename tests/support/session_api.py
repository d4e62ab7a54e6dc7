"""The API with its road of sessions behind it, spoken to without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from kswifi.accounts.passkeys import PasskeyService
from kswifi.accounts.relying_party import RelyingParty
from kswifi.accounts.service import AccountService
from kswifi.api.app import create_app
from kswifi.api.edge.streams import EventStreams
from kswifi.api.services import Environment, Services, SessionServices
from kswifi.catalogue.model import LAGOS
from kswifi.catalogue.service import Catalogue
from kswifi.esim.lines.packets import CardPackets
from kswifi.notifications.service import NotificationService
from kswifi.people.moves import MoveService
from kswifi.people.statements import Statements
from kswifi.people.use import MyUse
from kswifi.sessions.card.packets import CardRecords
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.service import VoucherService
from tests.support.accounts import cheap_passwords
from tests.support.api import Page, register
from tests.support.pushes import push_transport
from tests.support.session_roads import Road, open_road

ORIGIN = "http://127.0.0.1:8080"
SESSION_SOCKET = ("127.0.0.1", 40404)
VOUCHER_KEY = bytes(range(32))
WIFI_SOCKET = ("127.0.0.1", 50505)


class OneSocket:
    """A network where one socket is the gateway's and every other one WiFi's."""

    async def is_over_session(self, host: str, port: int) -> bool:
        return (host, port) == SESSION_SOCKET

    async def is_wifi(self, host: str, port: int) -> bool | None:
        return (host, port) != SESSION_SOCKET


@dataclass
class Served:
    """A road with its API, and a signed-in page on WiFi."""

    road: Road
    transport: httpx2.ASGITransport
    page: Page
    services: Services

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.page.client.get(path, headers=headers)

    async def post(self, path: str, body: object = None, key: str | None = None) -> httpx2.Response:
        return await self.page.send("POST", path, body, key)

    async def order(self, offer_id: str = "free-1gb") -> str:
        """Order a session and see it packaged; return its path."""
        answer = await self.post("/api/v1/sessions", {"offer_id": offer_id})
        assert answer.status_code == 201, answer.text
        await self.road.settle()
        return f"/api/v1/sessions/{answer.json()['session_id']}"

    @asynccontextmanager
    async def another(self, identifier: str, socket: tuple[str, int] = WIFI_SOCKET) -> AsyncIterator[Page]:
        """Give the page of another user."""
        transport = httpx2.ASGITransport(self.transport.app, client=socket)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield await register(client, identifier)

    @asynccontextmanager
    async def over_the_session(self) -> AsyncIterator[Page]:
        """Give the same user's page with its requests coming over the session."""
        transport = httpx2.ASGITransport(self.transport.app, client=SESSION_SOCKET)
        async with httpx2.AsyncClient(
            transport=transport, base_url=ORIGIN, cookies=dict(self.page.client.cookies)
        ) as client:
            page = Page.__new__(Page)
            page.client, page.user_id, page.csrf_token = client, self.page.user_id, self.page.csrf_token
            yield page

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run worker and projector during the block, as in the server."""
        self.road.ledger.on_durable = self.road.projector.wake
        tasks = [asyncio.create_task(self.road.worker.run()), asyncio.create_task(self.road.projector.run())]
        try:
            yield
        finally:
            self.road.worker.stop()
            self.road.projector.stop()
            await asyncio.wait_for(asyncio.gather(*tasks), 10)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    """Give the API of a fresh road."""
    passwords = cheap_passwords()
    async with open_road(folder) as road:
        accounts = AccountService(road.database, passwords)
        services = Services(
            database=road.database,
            accounts=accounts,
            notifications=NotificationService(road.database, push_transport(road.database.clock)),
            passkeys=PasskeyService(road.database, accounts, RelyingParty.of(ORIGIN)),
            catalogue=Catalogue.load(),
            streams=EventStreams(road.database),
            environment=Environment(mode="embedded", public_origin=ORIGIN),
            sessions=SessionServices(
                card_records=CardRecords(road.database, CardPackets(road.vault)),
                free_data=road.free_data,
                vouchers=VoucherService(road.database, VoucherCodes(VOUCHER_KEY)),
                downloads=road.downloads,
                gifts=road.gifts,
                moves=MoveService(),
                standing_orders=road.standing_orders,
                line_limits=road.line_limits,
                use=MyUse(road.database, LAGOS, 400),
                statements=Statements(road.database, LAGOS, 400, "KSWiFi"),
                manager=road.manager,
                signing_key=road.signing_key,
                network_access=OneSocket(),
            ),
        )
        transport = httpx2.ASGITransport(create_app(services), client=WIFI_SOCKET)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                yield Served(road, transport, await register(client), services)
        finally:
            passwords.close()
