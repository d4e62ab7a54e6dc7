"""An external SM-DP+ for tests: our own server behind a front that can lose, change or delay what it answers."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from kswifi.bench.es9_client import Download
from kswifi.database.engine import Database
from kswifi.esim.external_smdp.line_stock import make_lines, packages_of_batch, set_ready
from kswifi.esim.external_smdp.orders import PeerOrder, order_at_peer
from kswifi.esim.external_smdp.progress import Progress
from kswifi.esim.lines.service import find_esim
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import NumberRange, ProfileState
from kswifi.esim.operators.operators import find_operator
from kswifi.esim.operators.profile_stock import stock_profile
from kswifi.euicc.card import Euicc
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.numbers import Eid
from kswifi.outbox.results import JobResult
from kswifi.providers.smdp.es2plus import Es2PlusDelivery
from kswifi.providers.smdp.es2plus_call import Es2PlusPeer, client_context
from kswifi.rsp import binding
from kswifi.sessions.model import InternetSession
from tests.support.cards import EID, enable
from tests.support.clocks import ManualClock
from tests.support.es2 import Callback, Operator, callback_server, registered, self_signed
from tests.support.memory_storage import MemoryStorage
from tests.support.session_roads import AtPeer, Road, open_road
from tests.support.smdp import ADDRESS, NOW, VAULT_KEY, RunningSmdp, running_smdp

TYPE = "kswifi"
Alter = Callable[[str, dict[str, Any], dict[str, Any]], dict[str, Any] | None]
"""Given a function, what it was asked and what the server answered, returns the answer to give; None loses it."""


@dataclass
class Peer:
    """The server, we as its operator, and the front at which we call it."""

    folder: Path
    server: RunningSmdp
    operator: Operator
    front: Callback
    alter: Alter | None = None
    before: Alter | None = None
    """Answers before the server has heard anything, where it returns something."""

    def __post_init__(self) -> None:
        self.own = self_signed(self.folder, "kswifi")
        self.front.behave = self._relay

    def calls(self) -> list[str]:
        """Return what was asked at the front, in order."""
        return [function for function, _ in self.front.asked]

    def client(self, seconds: float = 5.0) -> Es2PlusPeer:
        """Return our client for it."""
        context = client_context(self.own.pem, self.own.key, self.front.keyed.pem)
        return Es2PlusPeer(self.front.url, context, "2.999.77", call_seconds=seconds)

    def stock(self, packages: list[bytes]) -> None:
        """Take profiles into our stock there."""
        vault = SubscriberVault(VAULT_KEY)
        for package in packages:
            self.server.write(
                lambda connection, package=package: stock_profile(  # type: ignore[misc]
                    connection, vault, find_operator(connection, self.operator.name), TYPE, package
                )
            )

    def states(self) -> dict[str, str]:
        """Return the profiles' states by ICCID, those of orders that were cancelled left out."""
        query = "SELECT iccid, profile_state FROM profile_order WHERE profile_state <> 'unavailable'"
        rows = self.server.write(lambda connection: connection.exec_driver_sql(query).all())
        return {row[0]: row[1] for row in rows}

    def _relay(self, _callback: Callback, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        function = handler.path.rpartition("/")[2]
        answer: dict[str, Any] | None = None if self.before is None else self.before(function, body, {})
        if answer is None:
            answer = self.operator.client().post(function, body).json()
            if self.alter is not None:
                answer = self.alter(function, body, answer)
        if answer is None:
            handler.close_connection = True
            return
        content = json.dumps(answer).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def running_peer(folder: Path) -> Iterator[Peer]:
    """Run an external SM-DP+ and its front until the block ends."""
    folder.mkdir(exist_ok=True)
    with (
        running_smdp(folder / "smdp", clock=ManualClock(NOW), es2_on_es9=False) as server,
        callback_server(folder, "front") as front,
    ):
        operator = registered(server, folder, "us")
        yield Peer(folder, server, operator, front)
        operator.close()


@dataclass
class Delivered:
    """A road whose profiles the peer delivers."""

    road: Road
    peer: Peer
    told: int = 0
    identifiers: list[str] = field(default_factory=list)

    async def line(self, session: InternetSession) -> Any:
        return await self.road.database.read(lambda connection: find_esim(connection, session.esim_id))

    async def order(self, session: InternetSession) -> PeerOrder:
        found = await self.road.database.write(lambda connection: order_at_peer(connection, session.esim_id))
        assert found is not None
        return found

    async def deliver(self, esim_id: str) -> JobResult:
        return await self.road.delivery.deliver(esim_id, b"")

    def download(self, matching_id: str | None) -> tuple[Download, bytes]:
        """Have a card download from the peer; return the walk and the profile in the clear."""
        walk = self.peer.server.download(matching_id)
        walk.initiate()
        walk.authenticate()
        walk.get_package()
        return walk, b"".join(it.octets for it in walk.open_package() if isinstance(it, binding.ProfileOctets))

    async def install(self, session: InternetSession) -> Download:
        """Have a card download the profile and enable it; the external SM-DP+ is notified, our server is not."""
        line = await self.line(session)
        walk, profile = self.download(line.matching_id)
        walk.notify(walk.install_result(self.peer.server.oid))
        card = Euicc.create(MemoryStorage(), Eid.with_check_digits("890490320000000000000000000001"))
        card.load_profile_package(profile)
        enable(card, line.iccid)
        self.road.cards[line.esim_id] = card
        return walk

    async def tell(
        self,
        session: InternetSession,
        point: int,
        failure: str | None = None,
        *,
        same: bool = False,
        eid: Eid = EID,
    ) -> None:
        """Have the peer report progress of the session's line; with ``same``, repeat its last report."""
        self.told += not same
        line = await self.line(session)
        progress = Progress(f"told-{self.told}", str(line.iccid), str(eid), point, failure)
        assert self.road.peer is not None
        assert self.road.peer.progress is not None
        await self.road.peer.progress.take(b"the peer's", progress)
        await self.road.settle()

    async def profile_state(self, session: InternetSession) -> ProfileState:
        state: ProfileState = (await self.line(session)).profile_state
        return state


def road_folder(folder: Path) -> Path:
    """Make the folder of a road."""
    folder.mkdir(exist_ok=True)
    return folder


@asynccontextmanager
async def delivered_by(
    peer: Peer,
    folder: Path,
    *,
    lines: int = 3,
    seconds: float = 5.0,
    takes_provider_status: bool = False,
    profile_type: str | None = TYPE,
    rules: FreeDataRules | None = None,
) -> AsyncIterator[Delivered]:
    """Give a road whose profiles the peer delivers, with so many more lines of its stock at both ends."""
    client = peer.client(seconds)

    def delivery(database: Database) -> Es2PlusDelivery:
        return Es2PlusDelivery(database, client, profile_type)

    at_peer = AtPeer(ADDRESS, delivery, takes_provider_status=takes_provider_status)
    try:
        async with open_road(road_folder(folder), rules, at_peer=at_peer) as road:
            if lines:
                await fill(road, peer, lines)
            yield Delivered(road, peer)
    finally:
        await client.close()


_prefixes = iter(range(10_000, 99_999))


async def fill(road: Road, peer: Peer, lines: int) -> str:
    """Make lines, give their profiles to the peer, and let users have them; return their batch."""
    numbers = NumberRange(f"89{next(_prefixes)}", "00101")

    def make(connection: Any) -> tuple[str, list[bytes]]:
        batch = make_lines(connection, road.vault, numbers, lines)
        packages = packages_of_batch(connection, road.vault, batch, mnc_digits=2)
        return batch, [package for _, package in packages]

    batch, packages = await road.database.write(make)
    peer.stock(packages)
    await road.database.write(lambda connection: set_ready(connection, batch))
    return batch
