"""A Diameter node with Gy on a real ledger, in this process on a free port, and a raw client for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.re_auth import AnnouncingLedger
from kswifi.charging.service import ChargingService
from kswifi.diameter.constants import APPLICATION_CREDIT_CONTROL, APPLICATION_S6A, VENDOR_3GPP
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.messages.base import Capabilities, CapabilitiesExchangeRequest, VendorApplication
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from kswifi.kernel.clock import Clock, SystemClock, unix_seconds
from kswifi.ledger.client import LedgerClient
from kswifi.ledger.commands import Credit, OpenWallet, OutcomeCode, ProveStorage
from kswifi.ledger.storage.sqlite_journal import SqliteJournal
from kswifi.servers.diameter.application import Application, NodeIdentity
from kswifi.servers.diameter.delayed_refusals import DelayedRefusals
from kswifi.servers.diameter.gy import GyApplication
from kswifi.servers.diameter.node import DiameterNode, TlsListener
from kswifi.servers.diameter.peer_connection import PeerLimits
from kswifi.servers.diameter.peer_rules import PeerRules
from tests.support.diameter_samples import IMSI

IDENTITY = NodeIdentity("ocs.localdomain", "localdomain", 1_700_000_000)
WALLET = "wallet-1"
MONTH = 30 * 86_400


class GyServer:
    """Everything the server side needs; ``restarted`` gives a new one on the same data."""

    def __init__(
        self,
        directory: Path,
        *,
        policy: ChargingPolicy | None = None,
        clock: Clock | None = None,
        limits: PeerLimits | None = None,
        rules: PeerRules | None = None,
        tls: TlsListener | None = None,
        more: tuple[Application, ...] = (),
        refusals: DelayedRefusals | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.ledger = LedgerClient(SqliteJournal(directory), self.clock)
        self.service = ChargingService(self.ledger, self.clock, policy or ChargingPolicy())
        self.gy = GyApplication(self.service, IDENTITY, refusals=refusals)
        self.node = DiameterNode(
            host="127.0.0.1",
            port=0,
            identity=IDENTITY,
            applications=(self.gy, *more),
            rules=rules,
            tls=tls,
            limits=limits or PeerLimits(farewell_seconds=0.2),
        )
        self.gy.connect(self.node.ask)
        self.control = AnnouncingLedger(self.ledger, lambda: self.ledger.state, self.service.notices)

    async def start(self) -> None:
        await self.ledger.start()
        self.service.recover()
        self.gy.start()
        await self.node.start()

    async def close(self) -> None:
        self.gy.flush()
        self.gy.close()
        await self.node.close()
        await self.ledger.close()

    async def credit(
        self, account_id: str, octets: int | None, *, wallet_id: str = WALLET, imsi: str = IMSI
    ) -> None:
        expires_at = unix_seconds(self.clock.now()) + MONTH
        for command in (
            OpenWallet(f"open-{wallet_id}", wallet_id, imsi),
            Credit(f"credit-{account_id}", wallet_id, account_id, octets, expires_at),
            ProveStorage(f"prove-{account_id}", account_id, "install_result"),
        ):
            outcome = await self.ledger.execute(command)
            assert outcome.code is OutcomeCode.DONE, outcome

    def balances(self, account_id: str) -> tuple[int, int, int]:
        """Return (used, reserved, available)."""
        found = self.ledger.state.balances(account_id)
        assert found is not None
        assert found.credited == found.used + found.reserved + found.available
        return found.used, found.reserved, found.available


@asynccontextmanager
async def running(server: GyServer) -> AsyncIterator[GyServer]:
    await server.start()
    try:
        yield server
    finally:
        await server.close()
        while RawClient.opened:
            await RawClient.opened.pop().close()


class RawClient:
    """A peer that sends octets and reads messages; ``running`` closes those that a test left open."""

    opened: ClassVar[list["RawClient"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._framer = MessageFramer()
        self._messages: list[bytes] = []

    @classmethod
    async def connect(cls, port: int, *, greet: bool = True, host: str = "smf.localdomain") -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = cls(reader, writer)
        cls.opened.append(client)
        if greet:
            await client.ask(greeting(host))
        return client

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def receive(self) -> bytes | None:
        """Return the next message, or None once the server closed."""
        while not self._messages:
            octets = await asyncio.wait_for(self.reader.read(65536), 10)
            if not octets:
                return None
            self._messages += self._framer.feed(octets)
        return self._messages.pop(0)

    async def ask(self, message: bytes) -> bytes:
        self.send(message)
        answer = await self.receive()
        assert answer is not None
        return answer

    async def charge(self, message: bytes) -> CreditControlAnswer:
        return CreditControlAnswer.decode(await self.ask(message))

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def greeting(host: str = "smf.localdomain", applications: tuple[int, ...] = (APPLICATION_CREDIT_CONTROL,)) -> bytes:
    return CapabilitiesExchangeRequest(
        capabilities=Capabilities(
            origin_host=host,
            origin_realm="localdomain",
            host_ip_addresses=("127.0.0.1",),
            auth_application_ids=applications,
            vendor_applications=(VendorApplication(vendor_id=VENDOR_3GPP, application_id=APPLICATION_S6A),)
            if applications
            else (),
        ),
        hop_by_hop=1,
        end_to_end=1,
    ).encode()
