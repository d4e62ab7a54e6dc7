"""Free data: the one place where its rules are enforced, in the order's own transaction.

``take`` is called once for every free order, and raises the error of the first rule that refuses it; ``standing``
reports this in advance. Both know an InternetSession only by its id, octets and days.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, func, select

from kswifi.accounts.kyc import kyc_level
from kswifi.accounts.model import canonical_identifier
from kswifi.accounts.sql import user_account
from kswifi.catalogue.model import Offer
from kswifi.database.engine import Database, after_commit, transaction_instant
from kswifi.free_data import budgets, waiting
from kswifi.free_data.errors import (
    NO_WAITING_LIST,
    CardAllowanceExceededError,
    FreeDataNotStartedError,
    FreeDataStoppedError,
    FreeOfferNotGivenError,
    FreeOrderRefusedError,
    KycLevelTooLowError,
    PhoneNotVerifiedError,
    PhoneOrVoucherNeededError,
    VoucherNeededError,
)
from kswifi.free_data.figures import FreeDataCounts
from kswifi.free_data.grants import add_grant, find_grant, note_card
from kswifi.free_data.holds import require_not_held
from kswifi.free_data.limits import (
    Asker,
    octets_left,
    require_card_within_limit,
    require_within_limits,
    unspent_room,
)
from kswifi.free_data.model import first_cost_of
from kswifi.free_data.pseudonyms import Marks
from kswifi.free_data.rules import FreeDataRules, Requirement, WhenBudgetGone
from kswifi.free_data.safeguards import missing_safeguards
from kswifi.free_data.voucher_payer import good_vouchers, require_payer
from kswifi.kernel.numbers import Eid
from kswifi.kernel.quantities import format_octets
from kswifi.vouchers.model import Voucher
from kswifi.vouchers.service import use_voucher


@dataclass(frozen=True, slots=True)
class OfferStanding:
    """Whether a user may order a free offer now: ``refusal`` is None or the first rule's refusal."""

    offer_id: str
    refusal: FreeOrderRefusedError | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's standing with free data; amounts are octets."""

    allowance_octets: int
    allowance_days: int
    left_octets: int
    unspent_room_octets: int
    kyc_level: int
    waits: bool
    offers: tuple[OfferStanding, ...]


BundleCost = Callable[[Connection, Offer], int | None]


def octets_are_paid(_connection: Connection, _offer: Offer) -> None:
    """Return None: no provider's bundle serves the offer, so used octets are paid for."""


class FreeData:
    """The rules of free data, and the marks by which it recognises people."""

    def __init__(
        self,
        database: Database,
        marks: Marks,
        rules: FreeDataRules | None = None,
        bundle_cost: BundleCost = octets_are_paid,
    ) -> None:
        """``bundle_cost`` returns the kobo of the provider's bundle for an offer; None where octets are paid."""
        self.rules = rules or FreeDataRules()
        self._bundle_cost = bundle_cost
        self.marks = marks
        self.counts = FreeDataCounts()
        self._database = database

    def require_identified(self, connection: Connection, user_id: str) -> None:
        """Refuse any order, free or paid, of a user whose KYC level is too low.

        Raises:
            KycLevelTooLowError: it is lower than the rules require.
        """
        needed = self.rules.kyc_level
        level = kyc_level(connection, user_id) if needed else 0
        if level < needed:
            raise KycLevelTooLowError(
                "before an order we have to know who you are: bring your identification to the operator",
                kyc_level=level,
                needed_level=needed,
            )

    def take(
        self,
        connection: Connection,
        *,
        user_id: str,
        session_id: str,
        offer: Offer,
        device_id: str | None = None,
        eid: Eid | None = None,
    ) -> None:
        """Grant a free InternetSession and reserve its cost; call it in the transaction that orders it.

        Raises:
            FreeOrderRefusedError: the subclass of the rule that refuses; nothing was written.
        """
        asker = self._asker(connection, user_id, device_id, eid)
        octets = _octets(offer)
        voucher = self._require(connection, asker, offer, transaction_instant(connection))
        venue_budget_id = None if voucher is None else voucher.budget_id
        bundle_kobo = self._bundle_cost(connection, offer)
        add_grant(connection, session_id, asker, octets, self.rules, venue_budget_id, bundle_kobo)
        if voucher is not None:
            use_voucher(connection, voucher.serial, session_id)
        waiting.leave(connection, user_id)
        after_commit(connection, self._count_given)

    def take_as_goodwill(self, connection: Connection, *, user_id: str, session_id: str, offer: Offer) -> None:
        """Grant a free InternetSession that support gives, and reserve its cost, in the transaction that orders it.

        The limits of a person do not apply, and nothing of the person's allowance is taken. Budgets, ceilings and
        the stop of free data apply as to any order.

        Raises:
            FreeDataStoppedError, BudgetGoneError: nothing was written.
        """
        words = budgets.stopped(connection)
        if words is not None:
            raise FreeDataStoppedError(words)
        bundle_kobo = self._bundle_cost(connection, offer)
        octets = _octets(offer)
        add_grant(connection, session_id, Asker(user_id), octets, self.rules, None, bundle_kobo, goodwill=True)
        after_commit(connection, self._count_given)

    @contextmanager
    def counting_refusals(self) -> Iterator[None]:
        """Count a refusal if a rule refuses the order inside this context."""
        try:
            yield
        except FreeOrderRefusedError as refused:
            self._count_refusal(refused)
            raise

    def _count_given(self) -> None:
        self.counts.given += 1

    def _count_refusal(self, refused: FreeOrderRefusedError) -> None:
        self.counts.refusals[refused.code] += 1

    def take_card(
        self, connection: Connection, session_id: str, octets: int, eid: Eid
    ) -> CardAllowanceExceededError | None:
        """Store the eUICC of a free InternetSession, before any of it can be spent.

        Return the error if the card's allowance is used up: the card of a new profile becomes known only now.
        """
        mark = self.marks.card(str(eid))
        now = transaction_instant(connection)
        try:
            require_card_within_limit(connection, mark, octets, now, self.rules, besides=session_id)
        except CardAllowanceExceededError as refused:
            after_commit(connection, partial(self._count_refusal, refused))
            return refused
        note_card(connection, session_id, mark)
        return None

    async def withheld_octets(self, session_id: str) -> int:
        """Return the octets of an InternetSession that are not released yet; 0 for a paid one."""
        grant = await self._database.read(lambda connection: find_grant(connection, session_id))
        return 0 if grant is None else grant.withheld_octets

    async def standing(self, user_id: str, offers: tuple[Offer, ...], device_id: str | None = None) -> Standing:
        """Return a user's standing, and for each free offer whether the user may order it now."""
        now = self._database.clock.now()

        def look(connection: Connection) -> Standing:
            asker = self._asker(connection, user_id, device_id, None)
            left = octets_left(connection, asker, now, self.rules)
            free = [offer for offer in offers if offer.free]
            found = [OfferStanding(it.id, self._refusal(connection, asker, it, now)) for it in free]
            return Standing(
                allowance_octets=self.rules.allowance_octets,
                allowance_days=self.rules.allowance_days,
                left_octets=left,
                unspent_room_octets=unspent_room(connection, asker, self.rules),
                kyc_level=kyc_level(connection, user_id),
                waits=waiting.waits(connection, user_id),
                offers=tuple(found),
            )

        return await self._database.read(look)

    def left_octets(self, connection: Connection, user_id: str) -> int:
        """Return the octets that are left of a user's allowance."""
        asker = self._asker(connection, user_id, None, None)
        return octets_left(connection, asker, transaction_instant(connection), self.rules)

    async def wait(self, user_id: str, offer: Offer) -> None:
        """Put a user on the waiting list for an offer that is refused only for lack of money. Idempotent.

        Raises:
            NO_WAITING_LIST: no list is kept, or it is not the money that is missing.
        """
        if self.rules.when_budget_gone is not WhenBudgetGone.WAITING_LIST:
            raise NO_WAITING_LIST("no waiting list is kept here")

        def change(connection: Connection) -> None:
            asker = self._asker(connection, user_id, None, None)
            refusal = self._refusal(connection, asker, offer, transaction_instant(connection))
            if refusal is None or refusal.facts["do"] != "join_waiting_list":
                raise NO_WAITING_LIST("there is nothing to wait for: " + (refusal.message if refusal else "order"))
            waiting.join(connection, user_id, _octets(offer))

        await self._database.write(change)

    def refusal(
        self, connection: Connection, user_id: str, offer: Offer, eid: Eid | None
    ) -> FreeOrderRefusedError | None:
        """Return the first rule's refusal of a free order for a card, None if it would be granted."""
        asker = self._asker(connection, user_id, None, eid)
        return self._refusal(connection, asker, offer, transaction_instant(connection))

    def join_waiting_list(self, connection: Connection, user_id: str, offer: Offer) -> None:
        """Put a user on the waiting list for an offer that was refused for lack of money, in the caller's step."""
        waiting.join(connection, user_id, _octets(offer))

    def require_receiver(
        self, connection: Connection, user_id: str, octets: int, device_id: str | None, eid: Eid | None
    ) -> Asker:
        """Apply the rules to someone who receives octets as a gift: the same as for an order, but for who pays.

        Raises:
            FreeOrderRefusedError: the subclass of the rule that refuses.
        """
        words = budgets.stopped(connection)
        if words is not None:
            raise FreeDataStoppedError(words)
        self.require_identified(connection, user_id)
        require_not_held(connection, user_id)
        asker, now = self._asker(connection, user_id, device_id, eid), transaction_instant(connection)
        self._require_shown(asker, good_vouchers(connection, user_id, now))
        require_within_limits(connection, asker, octets, now, self.rules)
        return asker

    def asker(self, connection: Connection, user_id: str, device_id: str | None, eid: Eid | None) -> Asker:
        """Return a user with all known marks."""
        return self._asker(connection, user_id, device_id, eid)

    def _asker(self, connection: Connection, user_id: str, device_id: str | None, eid: Eid | None) -> Asker:
        t = user_account.c
        query = select(func.coalesce(t.phone_number, t.email), t.phone_mark).where(t.user_id == user_id)
        row = connection.execute(query).one_or_none()
        identifier, phone_mark = (None, None) if row is None else row
        return Asker(
            user_id=user_id,
            account_mark=None if identifier is None else self.marks.account(canonical_identifier(identifier)),
            phone_mark=phone_mark,
            device_mark=None if device_id is None else self.marks.device(device_id),
            card_mark=None if eid is None else self.marks.card(str(eid)),
        )

    def _refusal(
        self, connection: Connection, asker: Asker, offer: Offer, now: datetime
    ) -> FreeOrderRefusedError | None:
        try:
            self._require(connection, asker, offer, now)
        except FreeOrderRefusedError as refused:
            return refused
        return None

    def _require(self, connection: Connection, asker: Asker, offer: Offer, now: datetime) -> Voucher | None:
        """Raise the error of the first rule that refuses an order; return the voucher that it uses, if any.

        The order of the rules puts first the error that helps the user most quickly.
        """
        words = budgets.stopped(connection)
        if words is not None:
            raise FreeDataStoppedError(words)
        self._require_started(connection)
        self.require_identified(connection, asker.user_id)
        require_not_held(connection, asker.user_id)
        self._require_given(offer)
        held = good_vouchers(connection, asker.user_id, now)
        vouchers = [it for it in held if it.offer_id in (None, offer.id)]
        if held and not vouchers and self.rules.required is Requirement.VOUCHER:
            raise VoucherNeededError("your voucher is good for another session: choose that one")
        needed = self._require_shown(asker, vouchers)
        octets = _octets(offer)
        require_within_limits(connection, asker, octets, now, self.rules)
        cost_kobo = self._bundle_cost(connection, offer)
        if cost_kobo is None:
            cost_kobo = first_cost_of(octets, self.rules.tranche_octets, self.rules.cost_kobo_per_gb)
        return require_payer(connection, vouchers, cost_kobo, now, self.rules, needed=needed)

    def _require_started(self, connection: Connection) -> None:
        if self.rules.guarded and missing_safeguards(self.rules, budgets.budgets(connection)):
            raise FreeDataNotStartedError("free data has not started here yet: ask again later")

    def _require_shown(self, asker: Asker, vouchers: list[Voucher]) -> bool:
        """Refuse a user without the required phone number or voucher; return whether a voucher is needed."""
        match self.rules.required:
            case Requirement.PHONE if asker.phone_mark is None:
                raise PhoneNotVerifiedError("verify your phone number first: a code is sent to it")
            case Requirement.VOUCHER if not vouchers:
                raise VoucherNeededError("get a voucher at a KSWiFi venue, and type its code in first")
            case Requirement.PHONE_OR_VOUCHER if asker.phone_mark is None and not vouchers:
                raise PhoneOrVoucherNeededError("verify your phone number, or type in a venue's voucher first")
            case Requirement.NOTHING | Requirement.PHONE:
                return False
            case Requirement.VOUCHER:
                return True
            case Requirement.PHONE_OR_VOUCHER:
                return asker.phone_mark is None

    def _require_given(self, offer: Offer) -> None:
        rules = self.rules
        octets = _octets(offer)
        if rules.largest_octets is not None and octets > rules.largest_octets:
            raise FreeOfferNotGivenError(
                f"free sessions have {format_octets(rules.largest_octets)} at most for now: choose a smaller one",
                largest_octets=rules.largest_octets,
            )
        if rules.longest_days is not None and offer.valid_days > rules.longest_days:
            raise FreeOfferNotGivenError(
                f"free sessions last {rules.longest_days} days at most for now: choose another",
                longest_days=rules.longest_days,
            )


def _octets(offer: Offer) -> int:
    if not offer.free or offer.allowance_octets is None:
        raise ValueError(f"{offer.id} is not a free, capped offer")
    return offer.allowance_octets
