"""Money of free octets that are passed on: it moves with the octets, so that no budget changes.

A giver's grant becomes smaller by the octets and by the kobo that were reserved for them; the caller keeps both
(see ``people``) until they are added to the receiver's grant, or back to the giver's. A received grant never costs
more than the kobo that came with it (``most_kobo``), whatever the rounding of the parts.
"""

from dataclasses import replace

from sqlalchemy import Connection, case, insert, update

from kswifi.database.engine import transaction_instant
from kswifi.free_data.budgets import find_budget, move
from kswifi.free_data.grants import find_grant
from kswifi.free_data.limits import Asker
from kswifi.free_data.model import BudgetKind, FreeGrant, money_of
from kswifi.free_data.sql import free_grant

_t = free_grant.c


def is_operators_money(connection: Connection, grant: FreeGrant) -> bool:
    """Return whether the operator pays for a grant, and no venue or sponsor."""
    if grant.budget_id is None:
        return True
    return find_budget(connection, grant.budget_id).kind is BudgetKind.OPERATOR


def give_octets(
    connection: Connection, session_id: str, octets: int, *, withheld_octets: int = 0, to_others: bool
) -> int:
    """Take released octets out of a session's grant; return the kobo that go with them, 0 without a grant.

    ``withheld_octets`` of it, which cost nothing yet, go as well. ``to_others``: the octets still count against the
    giver's allowance, so that nobody orders anew what was given away.
    """
    grant = find_grant(connection, session_id)
    if grant is None:
        return 0
    smaller = replace(
        grant,
        octets=grant.octets - octets - withheld_octets,
        released_octets=max(0, grant.released_octets - octets),
        most_kobo=None,
    )
    needed = money_of(smaller, grant.used_octets, max(0, smaller.released_octets - grant.used_octets))
    kobo = max(0, grant.reserved_kobo + grant.spent_kobo - needed.in_all_kobo)
    kobo = min(kobo, grant.reserved_kobo)
    _write(
        connection,
        smaller,
        given=octets if to_others else 0,
        reserved_kobo=grant.reserved_kobo - kobo,
        most_kobo=None if grant.most_kobo is None else grant.most_kobo - kobo,
    )
    return kobo


def take_back_octets(
    connection: Connection, session_id: str, octets: int, kobo: int, *, withheld_octets: int = 0, to_others: bool
) -> None:
    """Give octets and kobo back to the giver's grant; to the budget if the grant has ended."""
    grant = find_grant(connection, session_id)
    if grant is None:
        return
    given = -octets if to_others else 0
    if grant.ended_at is not None:
        move(connection, grant.budget_id, grant.ordered_on, reserved_kobo=-kobo, spent_kobo=0)
        connection.execute(
            update(free_grant).where(_t.session_id == session_id).values(given_octets=_t.given_octets + given)
        )
        return
    in_all = grant.octets + octets + withheld_octets
    larger = replace(grant, octets=in_all, released_octets=grant.released_octets + octets)
    most = None if grant.most_kobo is None else grant.most_kobo + kobo
    _write(connection, larger, given=given, reserved_kobo=grant.reserved_kobo + kobo, most_kobo=most)


def add_received_grant(
    connection: Connection,
    session_id: str,
    giver: FreeGrant,
    asker: Asker,
    octets: int,
    withheld_octets: int = 0,
) -> None:
    """Insert the grant of a session that waits for octets of another grant.

    It holds no money until ``fund_received`` brings it. ``withheld_octets`` are released later in tranches, as the
    giver's would have been.
    """
    connection.execute(
        insert(free_grant).values(
            session_id=session_id,
            user_id=asker.user_id,
            account_mark=asker.account_mark,
            phone_mark=asker.phone_mark,
            device_mark=asker.device_mark,
            card_mark=asker.card_mark,
            octets=octets + withheld_octets,
            used_octets=0,
            tranche_octets=giver.tranche_octets if withheld_octets else None,
            released_octets=0,
            cost_kobo_per_gb=giver.cost_kobo_per_gb,
            budget_id=giver.budget_id,
            reserved_kobo=0,
            spent_kobo=0,
            most_kobo=0,
            ordered_at=transaction_instant(connection),
            ordered_on=giver.ordered_on,
        )
    )


def fund_received(connection: Connection, session_id: str, kobo: int, octets: int) -> None:
    """Release the received octets of a grant, and reserve the kobo that came with them.

    Tranches that are released later are paid for then, so a grant with withheld octets has no ``most_kobo``.
    """
    most = case((_t.octets == octets, kobo), else_=None)
    connection.execute(
        update(free_grant)
        .where(_t.session_id == session_id)
        .values(released_octets=octets, reserved_kobo=kobo, most_kobo=most)
    )


def defund_received(connection: Connection, session_id: str) -> int:
    """Undo ``fund_received``, because the octets were refused; return their kobo, which stay with the octets."""
    grant = find_grant(connection, session_id)
    if grant is None:
        return 0
    connection.execute(
        update(free_grant)
        .where(_t.session_id == session_id)
        .values(released_octets=0, reserved_kobo=0, most_kobo=0)
    )
    return grant.reserved_kobo


def _write(
    connection: Connection, grant: FreeGrant, *, given: int, reserved_kobo: int, most_kobo: int | None
) -> None:
    connection.execute(
        update(free_grant)
        .where(_t.session_id == grant.session_id)
        .values(
            octets=grant.octets,
            released_octets=grant.released_octets,
            given_octets=_t.given_octets + given,
            reserved_kobo=reserved_kobo,
            most_kobo=most_kobo,
        )
    )
