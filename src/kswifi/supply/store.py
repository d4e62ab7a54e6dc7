"""Read and write the rows of supply, in the caller's step. The only place that writes an order's state."""

import hmac
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from kswifi.database import dialect
from kswifi.database.engine import announce, transaction_instant
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.supply.errors import UnknownProviderOrderError
from kswifi.supply.model import Money
from kswifi.supply.orders import OrderEvent, OrderState, next_order_state
from kswifi.supply.ports import Bundle, BundleState, Delivery, Installation, OrderStatus, ServiceStatus
from kswifi.supply.records import Mapping, ProviderLine, ProviderOrder
from kswifi.supply.rules import Absence, Counter, Service
from kswifi.supply.sql import bundle_usage, provider_line, provider_order, supply_notice, supply_offer

SUPPLY_TOPIC = "supply"
"""The topic that is announced when the worker has something to do."""
WORDS_LIMIT = 200

_o = provider_order.c
_l = provider_line.c
_u = bundle_usage.c


def wake_worker(connection: Connection) -> None:
    """Wake the supply worker after this transaction."""
    announce(connection, SUPPLY_TOPIC)


# Mappings


def mappings(connection: Connection) -> list[Mapping]:
    """Return all mappings, by offer and network."""
    query = select(supply_offer).order_by(supply_offer.c.offer_id, supply_offer.c.network)
    return [_mapping(row) for row in connection.execute(query)]


def mapping_of(connection: Connection, offer_id: str, network: str = "") -> Mapping | None:
    """Return the bundle for an offer on a network; None if none is mapped."""
    t = supply_offer.c
    row = connection.execute(select(supply_offer).where(t.offer_id == offer_id, t.network == network)).one_or_none()
    return None if row is None else _mapping(row)


def put_mapping(connection: Connection, mapping: Mapping) -> None:
    """Insert or replace the mapping of an offer on a network."""
    values = {
        "provider": mapping.provider,
        "bundle_id": mapping.bundle_id,
        "bundle_octets": mapping.bundle_octets,
        "days": mapping.days,
        "price_minor": mapping.price.amount_minor,
        "currency": mapping.price.currency,
        "in_stock": mapping.in_stock,
        "mapped_at": transaction_instant(connection),
    }
    connection.execute(
        dialect.insert(supply_offer)
        .values(offer_id=mapping.offer_id, network=mapping.network, **values)
        .on_conflict_do_update(index_elements=["offer_id", "network"], set_=values)
    )


def refresh_mapping(connection: Connection, mapping: Mapping, bundle: Bundle | None) -> None:
    """Store the price of a mapped bundle as the catalogue has it now, or that it is not in it."""
    values: dict[str, Any] = {"in_stock": bundle is not None}
    if bundle is not None:
        values |= {"price_minor": bundle.price.amount_minor, "currency": bundle.price.currency}
    t = supply_offer.c
    connection.execute(
        update(supply_offer).where(t.offer_id == mapping.offer_id, t.network == mapping.network).values(**values)
    )


# Lines


def add_line(
    connection: Connection,
    line_id: str,
    provider: str,
    kind: Delivery,
    *,
    pauses: bool,
    network: str | None = None,
    sealed_msisdn: bytes | None = None,
    msisdn_digest: bytes | None = None,
) -> None:
    """Insert the line of a provider. A phone number is verified and consented to at this instant."""
    now = transaction_instant(connection)
    at = now if sealed_msisdn is not None else None
    connection.execute(
        insert(provider_line).values(
            line_id=line_id,
            provider=provider,
            kind=kind,
            network=network,
            pauses=pauses,
            sealed_msisdn=sealed_msisdn,
            msisdn_digest=msisdn_digest,
            verified_at=at,
            consent_at=at,
            wants_on=True,
            used_up=False,
            attempts=0,
            created_at=now,
        )
    )


def line_of(connection: Connection, line_id: str, vault: SubscriberVault) -> ProviderLine | None:
    """Return a provider's line with what is sealed for it; None if no provider serves this line."""
    row = connection.execute(select(provider_line).where(_l.line_id == line_id)).one_or_none()
    return None if row is None else _line(row, vault)


def service_of(connection: Connection, line_id: str) -> Service | None:
    """Return the service of a provider's line; None if no provider serves this line."""
    columns = (_l.wants_on, _l.used_up, _l.observed, _l.attempts, _l.wanted_since)
    row = connection.execute(select(*columns).where(_l.line_id == line_id)).one_or_none()
    return None if row is None else _service(row)


def pauses(connection: Connection, line_id: str) -> bool | None:
    """Tell whether a line's provider can switch its data off and on again; None if no provider serves the line."""
    return connection.scalar(select(_l.pauses).where(_l.line_id == line_id))


def change_line(connection: Connection, line_id: str, **columns: object) -> None:
    """Write columns of a provider's line."""
    connection.execute(update(provider_line).where(_l.line_id == line_id).values(**columns))


def put_delivered(connection: Connection, line: ProviderLine, status: OrderStatus, vault: SubscriberVault) -> None:
    """Store the line and the installation data of a delivered order."""
    values: dict[str, Any] = {}
    if status.line is not None and line.kind is Delivery.PROFILE:
        values |= {"provider_ref": status.line.provider_ref, "iccid": status.line.iccid}
    if status.installation is not None:
        octets = msgspec.json.encode(status.installation)
        values["sealed_installation"] = vault.seal_octets(_owner(line.line_id, "installation"), octets)
    if values:
        change_line(connection, line.line_id, **values)


def seal_msisdn(vault: SubscriberVault, line_id: str, msisdn: str) -> bytes:
    """Encrypt a phone number for its line."""
    return vault.seal_octets(_owner(line_id, "msisdn"), msisdn.encode())


def number_digest(vault: SubscriberVault, msisdn: str) -> bytes:
    """Return the keyed digest of a phone number in E.164."""
    return hmac.digest(vault.derived_key("digests of line numbers"), msisdn.encode(), "sha256")


def line_of_number(connection: Connection, digest: bytes) -> tuple[str, str | None] | None:
    """Return the line with this number, verified last, and its network; None without one."""
    query = select(_l.line_id, _l.network).where(_l.msisdn_digest == digest).order_by(_l.verified_at.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else (row.line_id, row.network)


def put_service(connection: Connection, line_id: str, service: Service, next_try_at: datetime | None) -> None:
    """Store a line's service and when to work on it again."""
    now = transaction_instant(connection)
    change_line(
        connection,
        line_id,
        wants_on=service.wants_on,
        used_up=service.used_up,
        observed=service.observed,
        observed_at=now if service.observed is not None else None,
        wanted_since=service.wanted_since,
        attempts=service.attempts,
        next_try_at=next_try_at,
    )


def due_lines(connection: Connection, provider: str, now: datetime, limit: int) -> list[str]:
    """Return lines whose service has to be worked on, the longest due first."""
    query = select(_l.line_id).where(_l.provider == provider, _l.next_try_at <= now)
    return list(connection.scalars(query.order_by(_l.next_try_at).limit(limit)))


# Orders


def add_order(connection: Connection, order: ProviderOrder) -> None:
    """Insert an order that was not asked for yet, and wake the worker."""
    connection.execute(
        insert(provider_order).values(
            reference=order.reference,
            session_id=order.session_id,
            line_id=order.line_id,
            number=order.number,
            for_line=order.for_line,
            provider=order.provider,
            bundle_id=order.bundle_id,
            bundle_octets=order.bundle_octets,
            covers_octets=order.covers_octets,
            price_minor=order.price.amount_minor,
            currency=order.price.currency,
            cost_kobo=order.cost_kobo,
            booked_kobo=0,
            state=order.state,
            absent_looks=0,
            looks=0,
            wants_cancel=False,
            created_at=order.created_at,
            next_look_at=order.next_look_at,
        )
    )
    wake_worker(connection)


def find_order(connection: Connection, reference: str) -> ProviderOrder:
    """Return an order.

    Raises:
        UnknownProviderOrderError: there is none.
    """
    row = connection.execute(select(provider_order).where(_o.reference == reference)).one_or_none()
    if row is None:
        raise UnknownProviderOrderError("there is no such order at a provider", reference=reference)
    return _order(row)


def orders_of(connection: Connection, session_id: str) -> list[ProviderOrder]:
    """Return a session's orders, the first first."""
    query = select(provider_order).where(_o.session_id == session_id).order_by(_o.number)
    return [_order(row) for row in connection.execute(query)]


def orders_of_sessions(connection: Connection, session_ids: Collection[str]) -> dict[str, list[ProviderOrder]]:
    """Return the orders of some sessions, by session, the first first; sessions without orders are left out."""
    query = select(provider_order).where(_o.session_id.in_(session_ids)).order_by(_o.session_id, _o.number)
    found: dict[str, list[ProviderOrder]] = {}
    for row in connection.execute(query):
        found.setdefault(row.session_id, []).append(_order(row))
    return found


def orders_on(connection: Connection, line_id: str, bundle_ref: str) -> list[ProviderOrder]:
    """Return the orders of a line that a counter covers, in the order in which they were delivered."""
    query = select(provider_order).where(_o.line_id == line_id, _o.bundle_ref == bundle_ref)
    return [_order(row) for row in connection.execute(query.order_by(_o.delivered_at, _o.reference))]


def list_orders(connection: Connection, states: Sequence[OrderState], limit: int) -> list[ProviderOrder]:
    """Return orders in these states, the newest first."""
    query = select(provider_order).where(_o.state.in_(states)).order_by(_o.created_at.desc()).limit(limit)
    return [_order(row) for row in connection.execute(query)]


def due_orders(connection: Connection, provider: str, now: datetime, limit: int) -> list[str]:
    """Return the references of orders that need a call, the longest due first."""
    query = select(_o.reference).where(_o.provider == provider, _o.next_look_at <= now)
    return list(connection.scalars(query.order_by(_o.next_look_at).limit(limit)))


def has_unanswered(connection: Connection, order: ProviderOrder) -> bool:
    """Return whether the result of another order of the same bundle at the same provider is unknown."""
    query = select(func.count()).where(
        _o.provider == order.provider,
        _o.bundle_id == order.bundle_id,
        _o.state == OrderState.UNKNOWN,
        _o.reference != order.reference,
    )
    return bool(connection.scalar(query))


def owned_since(connection: Connection, order: ProviderOrder, since: datetime) -> frozenset[str]:
    """Return the provider's ids of other intents' orders that were made since an instant."""
    query = select(_o.provider_ref).where(
        _o.provider == order.provider,
        _o.provider_ref.is_not(None),
        _o.reference != order.reference,
        _o.created_at >= since,
    )
    return frozenset(connection.scalars(query))


def move_order(connection: Connection, order: ProviderOrder, event: OrderEvent, **columns: object) -> ProviderOrder:
    """Apply an event to an order that was read in this transaction; return the order as it is then.

    Raises:
        IllegalOrderTransitionError: the table does not list the event for the state.
    """
    state = next_order_state(order.state, event)
    connection.execute(
        update(provider_order)
        .where(_o.reference == order.reference)
        .values(state=state, looks=0, looked_at=transaction_instant(connection), **columns)
    )
    return find_order(connection, order.reference)


def change_order(connection: Connection, reference: str, **columns: object) -> None:
    """Write columns of an order, but not its state."""
    connection.execute(update(provider_order).where(_o.reference == reference).values(**columns))


def charged_kobo(connection: Connection, session_id: str) -> int:
    """Return the kobo in the book for a session's orders."""
    query = select(func.coalesce(func.sum(_o.booked_kobo), 0)).where(_o.session_id == session_id)
    return int(connection.scalar(query) or 0)


def covered_octets(connection: Connection, session_id: str, states: Sequence[OrderState]) -> int:
    """Return the octets of a session that its orders in these states cover."""
    query = select(func.coalesce(func.sum(_o.covers_octets), 0))
    return int(connection.scalar(query.where(_o.session_id == session_id, _o.state.in_(states))) or 0)


def purchases_since(connection: Connection, line_id: str, since: datetime) -> int:
    """Return the number of orders of a line since an instant that were not refused."""
    query = select(func.count()).where(
        _o.line_id == line_id, _o.created_at >= since, _o.state.not_in((OrderState.REFUSED, OrderState.REFUNDED))
    )
    return int(connection.scalar(query) or 0)


# Counters


def add_counter(connection: Connection, order: ProviderOrder, bundle_ref: str, next_look_at: datetime) -> None:
    """Insert the counter of a delivered bundle; a merged counter that is over is looked at again."""
    values = {"next_look_at": next_look_at}
    connection.execute(
        dialect.insert(bundle_usage)
        .values(
            line_id=order.line_id,
            bundle_ref=bundle_ref,
            provider=order.provider,
            used_octets=0,
            state=BundleState.PROCESSING,
            **values,
        )
        .on_conflict_do_update(
            index_elements=["line_id", "bundle_ref"], set_={**values, "state": BundleState.PROCESSING}
        )
    )


def counters_of(connection: Connection, line_id: str) -> dict[str, Counter]:
    """Return the counters of a line, by the provider's id of the bundle."""
    rows = connection.execute(select(bundle_usage).where(_u.line_id == line_id))
    return {row.bundle_ref: _counter(row) for row in rows}


def put_counter(
    connection: Connection, line_id: str, bundle_ref: str, counter: Counter, next_look_at: datetime | None
) -> None:
    """Store a counter after a look."""
    connection.execute(
        update(bundle_usage)
        .where(_u.line_id == line_id, _u.bundle_ref == bundle_ref)
        .values(
            used_octets=counter.used_octets,
            total_octets=counter.total_octets,
            state=counter.state,
            as_of=counter.as_of,
            octets_per_second=counter.octets_per_second,
            grew_at=counter.grew_at,
            looked_at=transaction_instant(connection),
            next_look_at=next_look_at,
        )
    )


def due_counters(connection: Connection, provider: str, now: datetime, limit: int) -> list[str]:
    """Return the lines with a counter to look at, the longest due first."""
    query = (
        select(_u.line_id)
        .where(_u.provider == provider, _u.next_look_at <= now)
        .group_by(_u.line_id)
        .order_by(func.min(_u.next_look_at))
    )
    return list(connection.scalars(query.limit(limit)))


def open_counters(connection: Connection, provider: str) -> int:
    """Return how many counters at a provider are looked at."""
    query = select(func.count()).where(_u.provider == provider, _u.next_look_at.is_not(None))
    return int(connection.scalar(query) or 0)


def postpone_counters(connection: Connection, line_ids: Sequence[str], until: datetime) -> None:
    """Look at the counters of these lines again at an instant; those that are over stay over."""
    connection.execute(
        update(bundle_usage)
        .where(_u.line_id.in_(line_ids), _u.next_look_at.is_not(None))
        .values(next_look_at=until)
    )


# Notices


def take_notice(connection: Connection, provider: str, dedupe_key: str) -> bool:
    """Store a webhook's key; return False if it was taken before."""
    result = connection.execute(
        dialect.insert(supply_notice)
        .values(provider=provider, dedupe_key=dedupe_key, at=transaction_instant(connection))
        .on_conflict_do_nothing()
    )
    return result.rowcount > 0


def prune_notices(connection: Connection, before: datetime, limit: int = 1000) -> int:
    """Delete keys of webhooks that were taken before an instant, at most ``limit``; return how many."""
    t = supply_notice.c
    old = select(t.provider, t.dedupe_key).where(t.at < before).order_by(t.at).limit(limit)
    keys = [tuple(row) for row in connection.execute(old)]
    if keys:
        connection.execute(delete(supply_notice).where(tuple_(t.provider, t.dedupe_key).in_(keys)))
    return len(keys)


def look_now(
    connection: Connection,
    provider: str,
    *,
    reference: str | None = None,
    provider_ref: str | None = None,
    line_ref: str | None = None,
) -> int:
    """Bring the looks at an order or a line forward; return the number of rows. Nothing else changes."""
    now = transaction_instant(connection)
    found = 0
    which = _o.reference == reference if reference is not None else _o.provider_ref == provider_ref
    if reference is not None or provider_ref is not None:
        result = connection.execute(
            update(provider_order)
            .where(_o.provider == provider, which, _o.next_look_at.is_not(None))
            .values(next_look_at=now)
        )
        found += result.rowcount
    if line_ref is not None:
        lines = select(_l.line_id).where(_l.provider == provider, _l.provider_ref == line_ref)
        # A webhook means that the line is used: the last rate says nothing any more, so the next looks come soon.
        for table, more in ((bundle_usage, {"octets_per_second": None, "grew_at": now}), (provider_order, {})):
            result = connection.execute(
                update(table)
                .where(table.c.line_id.in_(lines), table.c.next_look_at.is_not(None))
                .values(next_look_at=now, **more)
            )
            found += result.rowcount
    if found:
        wake_worker(connection)
    return found


def _owner(line_id: str, what: str) -> bytes:
    return f"provider line {line_id} {what}".encode()


def _mapping(row: Row[Any]) -> Mapping:
    return Mapping(
        offer_id=row.offer_id,
        provider=row.provider,
        network=row.network,
        bundle_id=row.bundle_id,
        bundle_octets=row.bundle_octets,
        days=row.days,
        price=Money(row.price_minor, row.currency),
        in_stock=row.in_stock,
    )


def _line(row: Row[Any], vault: SubscriberVault) -> ProviderLine:
    msisdn = installation = None
    if row.sealed_msisdn is not None:
        msisdn = vault.open_octets(_owner(row.line_id, "msisdn"), row.sealed_msisdn).decode()
    if row.sealed_installation is not None:
        octets = vault.open_octets(_owner(row.line_id, "installation"), row.sealed_installation)
        installation = msgspec.json.decode(octets, type=Installation)
    return ProviderLine(
        line_id=row.line_id,
        provider=row.provider,
        kind=Delivery(row.kind),
        provider_ref=row.provider_ref,
        iccid=row.iccid,
        msisdn=msisdn,
        network=row.network,
        verified_at=row.verified_at,
        installation=installation,
        service=_service(row),
        observed_at=row.observed_at,
        next_try_at=row.next_try_at,
    )


def _service(row: Row[*tuple[Any, ...]]) -> Service:
    observed = None if row.observed is None else ServiceStatus(row.observed)
    return Service(row.wants_on, row.used_up, observed, row.attempts, row.wanted_since)


def _order(row: Row[Any]) -> ProviderOrder:
    return ProviderOrder(
        reference=row.reference,
        session_id=row.session_id,
        line_id=row.line_id,
        number=row.number,
        for_line=row.for_line,
        provider=row.provider,
        bundle_id=row.bundle_id,
        bundle_octets=row.bundle_octets,
        covers_octets=row.covers_octets,
        price=Money(row.price_minor, row.currency),
        cost_kobo=row.cost_kobo,
        booked_kobo=row.booked_kobo,
        state=OrderState(row.state),
        words=row.words,
        refusal=row.refusal,
        provider_ref=row.provider_ref,
        bundle_ref=row.bundle_ref,
        absence=Absence(row.absent_looks, row.absent_since),
        looks=row.looks,
        wants_cancel=row.wants_cancel,
        created_at=row.created_at,
        asked_at=row.asked_at,
        delivered_at=row.delivered_at,
        next_look_at=row.next_look_at,
    )


def _counter(row: Row[Any]) -> Counter:
    return Counter(
        row.used_octets,
        row.total_octets,
        BundleState(row.state),
        row.as_of,
        row.octets_per_second,
        row.grew_at,
    )
