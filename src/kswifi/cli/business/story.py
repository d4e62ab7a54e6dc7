"""Thirty days of business: customers by their fates, and staff, all through the product's services."""

import heapq
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

from sqlalchemy import Connection

from kswifi.accounts.model import Client
from kswifi.accounts.service import AccountService
from kswifi.bootstrap.parts.vouchers import voucher_codes
from kswifi.catalogue.service import Catalogue
from kswifi.cli.business.plan import DAYS, Customer, Fate, customers
from kswifi.cli.business.town import Say, Town
from kswifi.desk.budgets import change_budget
from kswifi.desk.disputes import TEMPLATES, answer
from kswifi.desk.goodwill import ask
from kswifi.desk.incidents import begin, end
from kswifi.desk.lines import set_line_frozen
from kswifi.desk.notes import write_note
from kswifi.desk.roles import Operator, Role
from kswifi.desk.venues import list_venue, make_vouchers
from kswifi.free_data.model import BudgetKind
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.ids import uuid7
from kswifi.kernel.quantities import GIGABYTE
from kswifi.payments.service import PaymentService
from kswifi.people.gifts import GiftService, Wish
from kswifi.people.model import OctetTransfer
from kswifi.sessions.disputes import open_dispute, open_disputes
from kswifi.sessions.model import InternetSession
from kswifi.sessions.orders import SessionDownloadService
from kswifi.vouchers.model import Batch
from kswifi.vouchers.service import VoucherService

FOUNDER: Final = Operator("amara", Role.FOUNDER)
SUPPORT: Final = Operator("bisi", Role.SUPPORT)
VENUES: Final = ("Mama Put, Yaba", "Ikeja City Library", "Cafe Neo, Lekki")
PASSWORD: Final = "a password of simulated business 17"  # noqa: S105 - the page of the story says it
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_BROWSERS: Final = ("Chrome", "Chrome", "Opera Mini", "Safari", "Firefox")


class Story:
    """The business of one town."""

    def __init__(self, town: Town, count: int, seed: int, say: Say) -> None:
        self.did: Counter[str] = Counter()
        self._town = town
        self._begins_at = town.clock.now()
        self._customers = customers(count, seed)
        self._luck = Random(seed)  # noqa: S311 - a story that repeats, no secrets
        self._say = say
        self._codes = voucher_codes(town.context.vault)
        self._batches: list[tuple[Batch, int]] = []
        self._gift: OctetTransfer | None = None

    async def run(self) -> None:
        """Live all days, in the order of their instants."""
        lives = [self._desk(), *(self._guarded(it) for it in self._customers)]
        starts = [self._begins_at, *(self._begins_at + it.signs_up for it in self._customers)]
        waiting = [(at, number) for number, at in enumerate(starts)]
        heapq.heapify(waiting)
        ends_at, day = self._begins_at + DAYS * _DAY, 0
        while waiting and waiting[0][0] < ends_at:
            at, number = heapq.heappop(waiting)
            self._town.clock.move_to(at)
            if (today := (at - self._begins_at) // _DAY) > day:
                day = today
                await self._town.close_day()
                self._say(f"day {day} of {DAYS}: {self.did['signed_up']} customers")
            async for later in lives[number]:
                await self._town.settle()
                heapq.heappush(waiting, (later, number))
                break
        self._town.clock.move_to(ends_at)
        await self._town.settle()
        await self._town.close_day()

    async def _guarded(self, customer: Customer) -> AsyncIterator[datetime]:
        """Live a customer's life; it ends where a rule of the product refuses it."""
        try:
            async for later in self._live(customer):
                yield later
        except KswifiError as refused:
            self.did[f"refused: {refused.code}"] += 1

    async def _live(self, customer: Customer) -> AsyncIterator[datetime]:
        context = self._town.context
        client = Client(self._luck.choice(_BROWSERS), f"102.{89 + customer.number % 3}.0.0/16")
        address = f"102.89.{customer.number % 250}.{customer.number // 250 % 250}"
        made = await context.need(AccountService).register(customer.identifier, PASSWORD, address, client)
        user_id = made.login.user.user_id
        self.did["signed_up"] += 1
        if customer.fate is Fate.LOOKS:
            return
        yield self._later(0.05, 0.2)
        if customer.has_voucher and self._batches:
            await self._redeem(user_id, address)
        if customer.fate is Fate.BUYS:
            payment = await context.need(PaymentService).begin(user_id, "unlimited", f"business-{customer.number}")
            await self._town.pay(payment.reference)
            self.did["paid"] += 1
        elif (gift := self._gift) is not None and customer.fate is Fate.STORES:
            self._gift = None
            await self._claim(gift, user_id, customer.device)
            return
        session = await context.need(SessionDownloadService).order(
            user_id, customer.offer_id, device_id=customer.device
        )
        self.did["ordered"] += 1
        await self._town.settle()
        if customer.fate is Fate.DOWNLOADS:
            one, _ = await context.need(SessionDownloadService).package(user_id, session.session_id)
            await context.need(SessionDownloadService).confirm_download(
                user_id, session.session_id, one.package_sha256 or ""
            )
            return
        await self._town.store(session)
        self.did["stored"] += 1
        if customer.fate in (Fate.STORES, Fate.FARMS):
            return
        if customer.fate is Fate.GIVES:
            await self._give(user_id, session)
        async for later in self._use(customer, session):
            yield later

    async def _use(self, customer: Customer, session: InternetSession) -> AsyncIterator[datetime]:
        whole = session.allowance_octets or 3 * GIGABYTE
        days = self._luck.randint(2, 5)
        for _ in range(days):
            yield self._later(4, 30)
            share = 1.3 / days if customer.fate is Fate.USES_UP else self._luck.uniform(0.05, 0.9 / days)
            used = await self._town.use(session, int(whole * share))
            self.did["used_octets"] += used
            if used < int(whole * share):  # the session is used up
                self.did["used_up"] += 1
                break
        if customer.disputes:
            await self._dispute(session)
        if customer.loses_phone:
            yield self._later(2, 12)
            await self._lose_phone(session)

    async def _redeem(self, user_id: str, address: str) -> None:
        place = self._luck.randrange(len(self._batches))
        batch, used = self._batches[place]
        self._batches[place] = (batch, used + 1)
        code = self._codes.code(batch.serials[used])
        await self._town.context.need(VoucherService).redeem(user_id, code, address)
        self.did["vouchers"] += 1

    async def _give(self, user_id: str, session: InternetSession) -> None:
        gifts = self._town.context.need(GiftService)
        wish = Wish(session.session_id, int(GIGABYTE) // 4)
        self._gift = await self._town.context.database.write(
            lambda connection: gifts.offer(connection, user_id, wish)
        )
        await self._town.settle()
        self.did["gifts"] += 1

    async def _claim(self, gift: OctetTransfer, user_id: str, device: str) -> None:
        gifts, database = self._town.context.need(GiftService), self._town.context.database
        code = str(gift.code)
        claimed = await database.write(
            lambda connection: gifts.claim(connection, user_id, code, esim_id=None, device_id=device)
        )
        await self._town.settle()
        downloads = self._town.context.need(SessionDownloadService)
        await self._town.store(await downloads.session(user_id, str(claimed.to_session_id)))
        self.did["gifts_claimed"] += 1

    async def _dispute(self, session: InternetSession) -> None:
        def change(connection: Connection) -> None:
            dispute_id, words = str(uuid7(self._town.clock.now())), "I did not use so much yesterday."
            open_dispute(connection, session.user_id, session.session_id, dispute_id, words, [])

        await self._town.context.database.write(change)
        self.did["disputes"] += 1

    async def _lose_phone(self, session: InternetSession) -> None:
        def change(connection: Connection) -> None:
            set_line_frozen(connection, SUPPORT, session.esim_id, "phone lost in a danfo", frozen=True)
            write_note(connection, SUPPORT, session.user_id, "Called from a friend's phone, will call again.")

        await self._town.context.database.write(change)
        self.did["lost_phones"] += 1

    async def _desk(self) -> AsyncIterator[datetime]:
        """Open the business, then do what staff does each evening."""
        await self._town.context.database.write(self._open_business)
        while True:
            day = (self._town.clock.now() - self._begins_at) // _DAY
            yield self._begins_at + (day + 1) * _DAY + 20 * _HOUR
            await self._town.context.database.write(self._answer_some)
            if day % 9 == 4:
                await self._disturb()

    def _open_business(self, connection: Connection) -> None:
        kobo = 100_000_000
        change_budget(
            connection,
            FOUNDER,
            "operator",
            BudgetKind.OPERATOR,
            5 * kobo,
            kobo,
            4 * kobo,
            "first month of business",
        )
        change_budget(
            connection, FOUNDER, "mama-put", BudgetKind.VENUE, kobo, kobo // 10, None, "paid in by the venue"
        )
        for place, venue in enumerate(VENUES):
            list_venue(connection, FOUNDER, venue.partition(",")[0], "Lagos", "daily 8 to 22")
            budget = "mama-put" if place == 0 else None
            self._batches.append((make_vouchers(connection, FOUNDER, venue, 500, 60, budget), 0))

    def _answer_some(self, connection: Connection) -> None:
        """Answer the oldest disputes, and make up for one; the newest ones stay open."""
        offer = self._town.context.need(Catalogue).offer("free-1gb")
        for number, dispute in enumerate(open_disputes(connection)[:-3]):
            if number % 2 == 0:
                ask(connection, SUPPORT, dispute.session_id, offer, "usage could not be explained")
                self.did["goodwill"] += 1
            words = TEMPLATES["we gave data" if number % 2 == 0 else "usage is right"]
            answer(connection, SUPPORT, dispute.dispute_id, words)

    async def _disturb(self) -> None:
        database = self._town.context.database
        incident = await database.write(lambda connection: begin(connection, SUPPORT, "Data is slow in Lagos."))
        self._town.clock.move_to(self._town.clock.now() + 2 * _HOUR)
        await database.write(lambda connection: end(connection, SUPPORT, incident.incident_id))

    def _later(self, least_hours: float, most_hours: float) -> datetime:
        return self._town.clock.now() + self._luck.uniform(least_hours, most_hours) * _HOUR
