"""Limits of free data in the rolling days, by account, verified phone, device and eUICC.

A grant counts from its order on, unless it ended without one used octet. So a failure, a cancellation and an unused
expiry restore the allowance without further action. What was given to other accounts counts in any case, and what
support gave as goodwill never counts.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, not_, or_, select

from kswifi.free_data.errors import (
    AllowanceExceededError,
    CardAllowanceExceededError,
    CoolingDownError,
    DeviceAllowanceExceededError,
    FreeOrderRefusedError,
    TooMuchUnspentError,
)
from kswifi.free_data.rules import FreeDataRules
from kswifi.free_data.sql import free_grant
from kswifi.kernel.quantities import format_octets

_t = free_grant.c
_GIVEN_BACK = and_(_t.ended_at.is_not(None), _t.used_octets == 0)
_COUNTED_OCTETS = case((_GIVEN_BACK, _t.given_octets), else_=_t.octets + _t.given_octets)


@dataclass(frozen=True, slots=True)
class Asker:
    """The user who asks for free data, with all known marks (keyed digests, see ``pseudonyms``)."""

    user_id: str
    account_mark: str | None = None
    phone_mark: str | None = None
    device_mark: str | None = None
    card_mark: str | None = None


def octets_left(connection: Connection, asker: Asker, now: datetime, rules: FreeDataRules) -> int:
    """Return the octets that are left of an account's allowance in the rolling days."""
    had = _had(connection, _theirs(asker, rules), now, rules)
    return max(0, rules.allowance_octets - had)


def unspent_room(connection: Connection, asker: Asker, rules: FreeDataRules) -> int:
    """Return how many more octets an account may hold unspent."""
    unspent = connection.scalar(
        select(func.coalesce(func.sum(_t.octets - _t.used_octets), 0)).where(
            _t.user_id == asker.user_id, _t.ended_at.is_(None), not_(_t.goodwill)
        )
    )
    return max(0, rules.unspent_octets - int(unspent or 0))


def require_within_limits(
    connection: Connection, asker: Asker, octets: int, now: datetime, rules: FreeDataRules
) -> None:
    """Refuse a free order that exceeds a limit.

    Raises:
        AllowanceExceededError, DeviceAllowanceExceededError, CardAllowanceExceededError: the limit of the rolling
            days.
        TooMuchUnspentError: the limit of unspent octets.
        CoolingDownError: too soon after the last order.
    """
    _require(connection, _theirs(asker, rules), octets, rules.allowance_octets, now, rules, AllowanceExceededError)
    if rules.device_allowance_octets is not None and asker.device_mark is not None:
        of_device = _t.device_mark == asker.device_mark
        _require(
            connection, of_device, octets, rules.device_allowance_octets, now, rules, DeviceAllowanceExceededError
        )
    require_card_within_limit(connection, asker.card_mark, octets, now, rules)
    room = unspent_room(connection, asker, rules)
    if octets > room:
        raise TooMuchUnspentError(
            f"{format_octets(rules.unspent_octets)} may lie unspent at most; there is room for "
            f"{format_octets(room)}, and this session has {format_octets(octets)}: use some first",
            room_octets=room,
            asked_octets=octets,
        )
    _require_cool(connection, asker, now, rules)


def require_card_within_limit(
    connection: Connection,
    card_mark: str | None,
    octets: int,
    now: datetime,
    rules: FreeDataRules,
    besides: str | None = None,
) -> None:
    """Refuse octets above the allowance of one eUICC; the session with the id ``besides`` is not counted.

    Raises:
        CardAllowanceExceededError: the allowance would be exceeded.
    """
    if rules.card_allowance_octets is None or card_mark is None:
        return
    of_card = _t.card_mark == card_mark
    if besides is not None:
        of_card = and_(of_card, _t.session_id != besides)
    _require(connection, of_card, octets, rules.card_allowance_octets, now, rules, CardAllowanceExceededError)


def _theirs(asker: Asker, rules: FreeDataRules) -> ColumnElement[bool]:
    """Select the grants that count for an account.

    These are its own, those of a deleted account with the same identifier, and those of its verified phone number.
    """
    same = [_t.user_id == asker.user_id]
    if asker.account_mark is not None:
        same.append(_t.account_mark == asker.account_mark)
    if asker.phone_mark is not None and rules.one_account_per_phone:
        same.append(_t.phone_mark == asker.phone_mark)
    return or_(*same)


def _had(connection: Connection, whose: ColumnElement[bool], now: datetime, rules: FreeDataRules) -> int:
    query = select(func.coalesce(func.sum(_COUNTED_OCTETS), 0)).where(*_counted(whose, now, rules))
    return int(connection.scalar(query) or 0)


def _counted(
    whose: ColumnElement[bool], now: datetime, rules: FreeDataRules
) -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    counted = and_(not_(_t.goodwill), or_(not_(_GIVEN_BACK), _t.given_octets > 0))
    return whose, _t.ordered_at > now - rules.allowance_period, counted


def _require(
    connection: Connection,
    whose: ColumnElement[bool],
    octets: int,
    allowance: int,
    now: datetime,
    rules: FreeDataRules,
    error: type[FreeOrderRefusedError],
) -> None:
    left = max(0, allowance - _had(connection, whose, now, rules))
    if octets <= left:
        return
    until = _enough_at(connection, whose, octets, allowance, now, rules)
    of = {DeviceAllowanceExceededError: " for one device", CardAllowanceExceededError: " for one eSIM chip"}
    raise error(
        f"{format_octets(allowance)} are free in {rules.allowance_days} days{of.get(error, '')}; "
        f"{format_octets(left)} of them are left, and this session has {format_octets(octets)}"
        + (f": there is enough again on {until.astimezone(rules.zone):%Y-%m-%d at %H:%M}" if until else ""),
        left_octets=left,
        asked_octets=octets,
        wait_until=None if until is None else until.isoformat(),
    )


def _enough_at(
    connection: Connection,
    whose: ColumnElement[bool],
    octets: int,
    allowance: int,
    now: datetime,
    rules: FreeDataRules,
) -> datetime | None:
    """Return when enough octets are left, because earlier grants leave the rolling days; None if never."""
    if octets > allowance:
        return None
    query = (
        select(_COUNTED_OCTETS.label("octets"), _t.ordered_at)
        .where(*_counted(whose, now, rules))
        .order_by(_t.ordered_at.desc())
    )
    had = 0
    for row in connection.execute(query):
        had += row.octets
        if had + octets > allowance:
            leaves: datetime = row.ordered_at
            return leaves + rules.allowance_period
    return now


def _require_cool(connection: Connection, asker: Asker, now: datetime, rules: FreeDataRules) -> None:
    if not rules.cool_down:
        return
    last: datetime | None = connection.scalar(
        select(func.max(_t.ordered_at)).where(_theirs(asker, rules), not_(_GIVEN_BACK), not_(_t.goodwill))
    )
    if last is not None and now < last + rules.cool_down:
        until = last + rules.cool_down
        raise CoolingDownError(
            f"the next free session can be ordered on {until.astimezone(rules.zone):%Y-%m-%d at %H:%M}",
            wait_until=until.isoformat(),
        )
