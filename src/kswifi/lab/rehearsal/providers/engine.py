"""The rules of a rehearsal provider, the same behind each API: balance, orders, lines, usage with a lag, expiry."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from kswifi.kernel.clock import Clock
from kswifi.kernel.numbers import luhn_digit
from kswifi.lab.rehearsal.providers.model import (
    LINES_LIMIT,
    ORDERS_LIMIT,
    READINGS_LIMIT,
    Assignment,
    AssignmentState,
    Book,
    LabBundle,
    LabLine,
    LabOrder,
    OrderState,
    Profile,
    ProviderRefusedError,
    Reading,
    load_book,
    save_book,
)

_OPEN: Final = (AssignmentState.QUEUED, AssignmentState.ACTIVE)
SAME_LINE_SECONDS: Final = 30


class EventKind(StrEnum):
    """The events that a provider tells by webhook."""

    ORDER = "order"
    INSTALLED = "installed"
    ATTACHED = "attached"
    FIRST_USE = "first_use"
    USAGE = "usage"
    DEPLETED = "depleted"
    EXPIRED = "expired"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class Event:
    """An event, with the order, line and bundle that it is about."""

    kind: EventKind
    at: datetime
    order: LabOrder | None = None
    line: LabLine | None = None
    assignment: Assignment | None = None


ProfileSource = Callable[[str], Awaitable[Profile]]
"""Returns a new profile for a bundle: from our own SM-DP+ in the demo, invented otherwise."""
Tell = Callable[[Event], None]


@dataclass(slots=True)
class Rules:
    """The behaviour of a rehearsal provider; the control changes it while it runs.

    Attributes:
        merges: a second bundle adds to the counter of the first; otherwise it waits in a queue.
        lag: how old a reported counter is.
        settles_after: how long an order is pending.
        fails_next: the next order fails when it settles.
        duplicates_next: the next order is booked twice, as by a provider that is not idempotent.
        recycles_iccid: the next profile has the ICCID of a line that was deleted.
        counter_back_octets: a reported counter is that much too low.
        same_line_seconds: the time within which a second order of a bundle for a person's line is refused.
    """

    merges: bool = False
    lag: timedelta = timedelta(0)
    settles_after: timedelta = timedelta(0)
    fails_next: bool = False
    duplicates_next: bool = False
    recycles_iccid: bool = False
    counter_back_octets: int = 0
    same_line_seconds: int = SAME_LINE_SECONDS


class Engine:
    """One rehearsal provider.

    Args:
        book: what it keeps if there is no file yet.
        rules: how it behaves.
        clock: the source of all its instants.
        profiles: where new profiles come from.
        tell: gets each event.
        file: where it keeps the book; None keeps it in memory.
    """

    def __init__(
        self, book: Book, rules: Rules, clock: Clock, profiles: ProfileSource, tell: Tell, file: Path | None = None
    ) -> None:
        self.book = load_book(file, book)
        self.rules = rules
        self.clock = clock
        self._profiles = profiles
        self._tell = tell
        self._file = file

    def bundle(self, bundle_id: str) -> LabBundle:
        """Return a bundle.

        Raises:
            ProviderRefusedError: there is none with this id.
        """
        found = self.book.bundles.get(bundle_id)
        if found is None:
            raise ProviderRefusedError("bundle_unknown", f"there is no bundle {bundle_id}")
        return found

    def line(self, number: str) -> LabLine:
        """Return a line by its number, its counters brought up to now.

        Raises:
            ProviderRefusedError: there is none with this number.
        """
        self.advance()
        found = self.book.lines.get(number)
        if found is None:
            raise ProviderRefusedError("line_unknown", "there is no such line")
        return found

    def line_of_iccid(self, iccid: str) -> LabLine:
        """Return the newest line with an ICCID.

        Raises:
            ProviderRefusedError: there is none.
        """
        for line in reversed(self.book.lines.values()):
            if line.profile is not None and line.profile.iccid == iccid:
                return self.line(line.number)
        raise ProviderRefusedError("line_unknown", "eSIM not found or not assigned to your organisation")

    def by_reference(self, reference: str) -> LabOrder | None:
        """Return the order with the caller's reference."""
        self.advance()
        return next((it for it in self.book.orders.values() if it.reference == reference), None)

    def may_buy(self, bundle_id: str, line: LabLine | None = None) -> LabBundle:
        """Return a bundle if it can be bought now, for a new or a given line.

        Raises:
            ProviderRefusedError: it is unknown or sold out, the balance is too low, or the line cannot take it.
        """
        bundle = self.bundle(bundle_id)
        if bundle.stock == 0:
            raise ProviderRefusedError("sold_out", f"{bundle_id} is out of stock")
        if bundle.price_minor > self.book.balance_minor:
            raise ProviderRefusedError("balance_low", "insufficient balance")
        if line is not None and line.deleted:
            raise ProviderRefusedError("line_unknown", "the eSIM has been deactivated")
        if line is not None and not set(bundle.countries) & self._countries(line):
            raise ProviderRefusedError("unsuitable", "the bundle is not compatible with this eSIM")
        return bundle

    async def buy(
        self,
        bundle_id: str,
        *,
        reference: str | None = None,
        line: LabLine | None = None,
        msisdn: str | None = None,
        pending: bool = False,
    ) -> LabOrder:
        """Buy a bundle for a new profile, a given line, or a person's line.

        ``pending`` keeps the order pending until the control settles it.

        Raises:
            ProviderRefusedError: it cannot be bought.
        """
        bundle = self.may_buy(bundle_id, line)
        if len(self.book.orders) >= ORDERS_LIMIT or len(self.book.lines) >= LINES_LIMIT:
            raise ProviderRefusedError("full", "this rehearsal has too many orders")
        top_up = line is not None
        if line is None:
            line = await self._new_line(bundle_id, msisdn)
        order = self._book(bundle, line, reference, pending=pending, top_up=top_up)
        if self.rules.duplicates_next:
            self.rules.duplicates_next = False
            self._book(bundle, line, reference, pending=pending, top_up=top_up)
        self.advance()
        self._save()
        return order

    def settle(self, order: LabOrder, *, fails: bool = False) -> None:
        """Complete a pending order, or let it fail; its price is then returned."""
        if order.state is not OrderState.PENDING:
            return
        now = self.clock.now()
        if fails or order.fails:
            order.state = OrderState.FAILED
            self.book.balance_minor += order.price_minor
        else:
            order.state = OrderState.COMPLETED
            self._assign(order, now)
        self._event(EventKind.ORDER, order=order, line=self.book.lines.get(order.line))
        self._save()

    def reverse(self, order: LabOrder) -> None:
        """Return the price of an order, pending or completed, and take its bundle away."""
        if order.state not in (OrderState.PENDING, OrderState.COMPLETED):
            return
        order.state = OrderState.REVERSED
        self.book.balance_minor += order.price_minor
        self._revoke(order)
        self._event(EventKind.ORDER, order=order, line=self.book.lines.get(order.line))
        self._save()

    def cancel(self, order: LabOrder) -> None:
        """Return an order whose bundle was not used.

        Raises:
            ProviderRefusedError: it is used, or over.
        """
        self.advance()
        mine = [it for it in self.book.lines[order.line].assignments if it.order == order.number]
        if order.state is not OrderState.COMPLETED or any(it.used or it.state not in _OPEN for it in mine):
            raise ProviderRefusedError("in_use", "this bundle cannot be returned any more")
        order.state = OrderState.CANCELLED
        self.book.balance_minor += order.price_minor
        self._revoke(order)
        self._save()

    def install(self, line: LabLine, eid: str = "") -> None:
        """Install a profile on a phone."""
        if line.installed:
            return
        line.installed = True
        line.eid = eid or "89049032123451234512345678901235"
        for it in line.assignments:
            if it.state is AssignmentState.QUEUED and self.bundle(it.bundle_id).starts_at_install:
                self._start(it)
        self._event(EventKind.INSTALLED, line=line)
        self._save()

    def attach(self, line: LabLine) -> None:
        """Attach a line to a network."""
        self.install(line)
        if not line.attached and not self._is_off(line):
            line.attached = True
            self._event(EventKind.ATTACHED, line=line)
            self._save()

    def use(self, line: LabLine, octets: int) -> int:
        """Use data on a line; return how many octets the bundles covered."""
        self.advance()
        if line.deleted or self._is_off(line):
            return 0
        covered = 0
        while covered < octets:
            running = self._running(line)
            if running is None:
                break
            if not running.readings:
                self._event(EventKind.FIRST_USE, line=line, assignment=running)
            part = octets - covered if running.unlimited else min(octets - covered, running.total - running.used)
            self._count(line, running, part)
            covered += part
        self._save()
        return covered

    def suspend(self, line: LabLine, *, on: bool, by_policy: bool = False) -> None:
        """Switch a line's service on or off.

        Raises:
            ProviderRefusedError: it is so already, or the provider's own rules suspended it.
        """
        if on and line.suspended_by_policy and not by_policy:
            raise ProviderRefusedError("policy", "the eSIM is suspended by policy enforcement")
        if on is not line.suspended:
            raise ProviderRefusedError(
                "same_state", "the eSIM is " + ("not suspended" if on else "already suspended")
            )
        line.suspended = not on
        line.suspended_by_policy = by_policy and not on
        self._save()

    def delete(self, line: LabLine) -> None:
        """Delete a line, whose ICCID may then be used again."""
        line.deleted = True
        self._save()

    def reported(self, assignment: Assignment) -> Reading:
        """Return a counter as the provider reports it: late, or too low if the rules say so."""
        until = self.clock.now() - self.rules.lag
        found = Reading(until, 0)
        for reading in assignment.readings:
            if reading.at > until:
                break
            found = reading
        return Reading(found.at, max(0, found.used - self.rules.counter_back_octets))

    def advance(self) -> None:
        """Settle and expire what is due now."""
        now = self.clock.now()
        for order in list(self.book.orders.values()):
            if order.state is OrderState.PENDING and order.settles_at is not None and order.settles_at <= now:
                self.settle(order)
        for line in self.book.lines.values():
            for it in line.assignments:
                if it.state is AssignmentState.ACTIVE and it.ends_at is not None and it.ends_at <= now:
                    it.state = AssignmentState.EXPIRED
                    self._event(EventKind.EXPIRED, line=line, assignment=it)

    def change_bundle(self, bundle_id: str, *, stock: int | None = None, price_minor: int | None = None) -> None:
        """Change the stock or the price of a bundle.

        Raises:
            ProviderRefusedError: there is none with this id.
        """
        bundle = self.bundle(bundle_id)
        bundle.stock = bundle.stock if stock is None else stock
        bundle.price_minor = bundle.price_minor if price_minor is None else price_minor
        self._event(EventKind.CATALOGUE)

    def _book(
        self, bundle: LabBundle, line: LabLine, reference: str | None, *, pending: bool, top_up: bool
    ) -> LabOrder:
        now = self.clock.now()
        if bundle.stock is not None:
            bundle.stock -= 1
        self.book.balance_minor -= bundle.price_minor
        order = LabOrder(
            number=f"{self._next():08d}-{secrets.token_hex(4)}",
            bundle_id=bundle.bundle_id,
            line=line.number,
            created_at=now,
            price_minor=bundle.price_minor,
            reference=reference,
            settles_at=None if pending else now + self.rules.settles_after,
            fails=self.rules.fails_next,
            top_up=top_up,
        )
        self.rules.fails_next = False
        self.book.orders[order.number] = order
        return order

    def _assign(self, order: LabOrder, now: datetime) -> None:
        bundle, line = self.book.bundles[order.bundle_id], self.book.lines[order.line]
        first = next((it for it in line.assignments if it.state in _OPEN), None)
        if self.rules.merges and order.top_up and line.assignments:
            # One counter: the volume is added to that of the line.
            first = first or line.assignments[0]
            first.total += bundle.octets
            first.days += bundle.days
            if first.ends_at is not None:
                first.ends_at += timedelta(days=bundle.days)
            if first.state is AssignmentState.DEPLETED:
                first.state = AssignmentState.ACTIVE
            return
        found = Assignment(
            number=self._next(),
            bundle_id=bundle.bundle_id,
            order=order.number,
            total=bundle.octets,
            created_at=now,
            days=bundle.days,
            unlimited=bundle.unlimited,
            readings=[],
        )
        line.assignments = [*line.assignments, found]
        if line.msisdn is not None:
            self._start(found)

    def _start(self, assignment: Assignment) -> None:
        assignment.state = AssignmentState.ACTIVE
        assignment.starts_at = self.clock.now()
        assignment.ends_at = assignment.starts_at + timedelta(days=assignment.days)

    def _running(self, line: LabLine) -> Assignment | None:
        """Return the bundle that data is taken from: the one that expires first, else the oldest that waits."""
        active = [it for it in line.assignments if it.state is AssignmentState.ACTIVE]
        if active:
            return min(active, key=lambda it: (it.ends_at or self.clock.now(), it.number))
        waiting = next((it for it in line.assignments if it.state is AssignmentState.QUEUED), None)
        if waiting is not None:
            self._start(waiting)
        return waiting

    def _count(self, line: LabLine, assignment: Assignment, octets: int) -> None:
        assignment.used += octets
        assignment.readings.append(Reading(self.clock.now(), assignment.used))
        del assignment.readings[:-READINGS_LIMIT]
        if not assignment.unlimited and assignment.used >= assignment.total:
            assignment.state = AssignmentState.DEPLETED
            self._event(EventKind.DEPLETED, line=line, assignment=assignment)
        else:
            self._event(EventKind.USAGE, line=line, assignment=assignment)

    def _revoke(self, order: LabOrder) -> None:
        for it in self.book.lines[order.line].assignments:
            if it.order == order.number and it.state in _OPEN:
                it.state = AssignmentState.REVOKED

    async def _new_line(self, bundle_id: str, msisdn: str | None) -> LabLine:
        if msisdn is not None:
            line = self.book.lines.get(msisdn) or LabLine(msisdn, msisdn=msisdn, installed=True, assignments=[])
            self.book.lines[msisdn] = line
            return line
        profile = await self._profiles(bundle_id)
        old = next((it for it in self.book.lines.values() if it.deleted and it.profile is not None), None)
        if self.rules.recycles_iccid and old is not None and old.profile is not None:
            self.rules.recycles_iccid = False
            profile.iccid = old.profile.iccid
        line = LabLine(f"T{self._next():012d}", profile=profile, assignments=[])
        self.book.lines[line.number] = line
        return line

    def _countries(self, line: LabLine) -> set[str]:
        return {code for it in line.assignments for code in self.bundle(it.bundle_id).countries}

    def _is_off(self, line: LabLine) -> bool:
        return line.suspended or line.suspended_by_policy

    def _next(self) -> int:
        self.book.last_number += 1
        return self.book.last_number

    def _event(
        self,
        kind: EventKind,
        order: LabOrder | None = None,
        line: LabLine | None = None,
        assignment: Assignment | None = None,
    ) -> None:
        self._tell(Event(kind, self.clock.now(), order, line, assignment))

    def _save(self) -> None:
        save_book(self._file, self.book)


async def invented_profile(bundle_id: str) -> Profile:
    """Return a profile that has the right form and that no SM-DP+ has."""
    del bundle_id
    digits = f"894310816{secrets.randbelow(10**9):09d}"
    token = secrets.token_hex(8).upper()
    return Profile(digits + luhn_digit(digits), f"LPA:1$rsp.rehearsal.test${token}", apn="internet")
