"""Lines and their profile orders: allocate numbers and keys, find lines, and record holds and users' wishes.

All functions work in the caller's transaction, so an order and its InternetSession are written together or
not at all.
"""

import os
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from kswifi.catalogue.model import Offer
from kswifi.database.engine import transaction_instant
from kswifi.database.pages import PagedQuery
from kswifi.esim.errors import NumbersUsedUpError, UnknownEsimError
from kswifi.esim.external_smdp.line_stock import StockedLine, lines_ready, take_line
from kswifi.esim.external_smdp.orders import open_peer_order
from kswifi.esim.lines.vault import SubscriberVault, new_subscriber_keys
from kswifi.esim.model import (
    ESim,
    Hold,
    LineKind,
    NumberRange,
    ProfileEvent,
    ProfileState,
    new_matching_id,
    next_profile_state,
)
from kswifi.esim.sql import esim, esim_serial, peer_order, profile_order
from kswifi.kernel.ids import uuid7
from kswifi.kernel.numbers import Eid, Iccid, Imsi
from kswifi.kernel.pages import Page, PageRequest

_COLUMNS = (
    esim.c.esim_id,
    esim.c.user_id,
    esim.c.iccid,
    esim.c.imsi,
    esim.c.matching_id,
    esim.c.eid,
    esim.c.profile_state,
    esim.c.hold,
    esim.c.wants_pause,
    esim.c.wish,
    esim.c.created_at,
    esim.c.smdp_address,
    esim.c.frozen,
    esim.c.wants_frozen,
    esim.c.freeze_wish,
    esim.c.replaced_by,
    esim.c.kind,
    esim.c.pause_ends_at,
)
_OF_USER = PagedQuery(
    select(*_COLUMNS).where(esim.c.user_id == bindparam("wanted_user")), esim.c.esim_id, newest_first=True
)


class EsimOrders:
    """Allocate lines from the operator's number range, with keys that only the vault can open.

    ``peer_address``: the external SM-DP+ that delivers the profiles. Lines then come from the stock made for
    it.
    """

    def __init__(
        self,
        vault: SubscriberVault,
        numbers: NumberRange | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        peer_address: str | None = None,
    ) -> None:
        self._vault = vault
        self._numbers = numbers or NumberRange()
        self._random_bytes = random_bytes
        self._peer_address = peer_address

    def are_delivered_as(self, line: ESim) -> bool:
        """Tell whether new lines would be delivered by the same SM-DP+ as this line, our own or an external one."""
        return line.smdp_address == self._peer_address

    def takes_more(self, line: ESim) -> bool:
        """Tell whether an installed line takes another session: every card of ours does."""
        return line.is_card

    def require_bundle(self, _connection: Connection, _offer: Offer) -> int | None:
        """Accept every offer, of any size: our own network serves them all."""
        return None

    def has_numbers(self, connection: Connection) -> bool:
        """Tell whether ``allocate`` could provide a line now."""
        if self._peer_address is not None:
            return lines_ready(connection) > 0
        last = connection.scalar(select(func.max(esim_serial.c.serial)))
        try:
            self._numbers.iccid(int(last or 0) + 1)
            self._numbers.imsi(int(last or 0) + 1)
        except NumbersUsedUpError:
            return False
        return True

    def allocate(self, connection: Connection, user_id: str) -> ESim:
        """Create a line for a user: with the next numbers and new keys, or from the stock for an external SM-DP+.

        Raises:
            NumbersUsedUpError: the operator's range, or the stock, has nothing left.
        """
        line = self._stocked(connection) if self._peer_address is not None else self._made(connection)
        now = transaction_instant(connection)
        ordered = ESim(
            esim_id=str(uuid7(now, self._random_bytes)),
            user_id=user_id,
            iccid=line.iccid,
            imsi=line.imsi,
            matching_id=new_matching_id(self._random_bytes),
            eid=None,
            profile_state=next_profile_state(ProfileState.AVAILABLE, ProfileEvent.ALLOCATE),
            hold=None,
            wants_pause=False,
            wish=0,
            created_at=now,
            smdp_address=self._peer_address,
        )
        connection.execute(
            insert(esim).values(
                esim_id=ordered.esim_id,
                user_id=user_id,
                iccid=str(line.iccid),
                imsi=str(line.imsi),
                matching_id=ordered.matching_id,
                profile_state=ordered.profile_state,
                wants_pause=False,
                wish=0,
                sealed_keys=line.sealed_keys,
                seq=0,
                ind=0,
                smdp_address=ordered.smdp_address,
                created_at=now,
            )
        )
        if ordered.smdp_address is not None:
            open_peer_order(connection, ordered.esim_id, 1)
        return ordered

    def _made(self, connection: Connection) -> StockedLine:
        taken = connection.execute(insert(esim_serial))
        assert taken.inserted_primary_key is not None  # noqa: S101 - a single-row insert has one
        serial = int(taken.inserted_primary_key[0])
        imsi = self._numbers.imsi(serial)
        return StockedLine(self._numbers.iccid(serial), imsi, self._vault.seal(imsi, new_subscriber_keys()))

    def _stocked(self, connection: Connection) -> StockedLine:
        line = take_line(connection)
        if line is None:
            raise NumbersUsedUpError("no line is left in the stock for the SM-DP+ that delivers")
        return line


def add_supplied_line(
    connection: Connection, user_id: str, kind: LineKind, random_bytes: Callable[[int], bytes] = os.urandom
) -> ESim:
    """Insert a line that a data provider serves: it has no numbers and no keys here."""
    now = transaction_instant(connection)
    esim_id = str(uuid7(now, random_bytes))
    connection.execute(
        insert(esim).values(
            esim_id=esim_id,
            user_id=user_id,
            kind=kind,
            profile_state=ProfileState.ALLOCATED,
            wants_pause=False,
            wish=0,
            seq=0,
            ind=0,
            created_at=now,
        )
    )
    return find_esim(connection, esim_id)


def set_supplied_state(connection: Connection, esim_id: str, state: ProfileState) -> None:
    """Store the state of a provider's profile as the provider reports it."""
    of_provider = esim.c.kind != LineKind.CARD
    connection.execute(update(esim).where(esim.c.esim_id == esim_id, of_provider).values(profile_state=state))


def canonical_esim_id(esim_id: str) -> str:
    """Return an eSIM's id, a UUID, in canonical form.

    Raises:
        UnknownEsimError: it is not a UUID, so no eSIM has it.
    """
    try:
        return str(UUID(esim_id))
    except ValueError:
        raise UnknownEsimError("there is no such eSIM", esim_id=esim_id[:64]) from None


def find_esim(connection: Connection, esim_id: str, user_id: str | None = None) -> ESim:
    """Return an eSIM. If ``user_id`` is given, the eSIM must belong to that user.

    Raises:
        UnknownEsimError: it does not exist, or belongs to another user.
    """
    query = select(*_COLUMNS).where(esim.c.esim_id == canonical_esim_id(esim_id))
    row = connection.execute(query).one_or_none()
    if row is None or (user_id is not None and row.user_id != user_id):
        raise UnknownEsimError("there is no such eSIM", esim_id=esim_id)
    return _read(row)


def esims_of(connection: Connection, user_id: str, limit: int = 100) -> list[ESim]:
    """Return a user's eSIMs, the newest first, at most ``limit``."""
    return esims_page(connection, user_id, PageRequest(limit)).items


def esims_page(connection: Connection, user_id: str, page: PageRequest) -> Page[ESim]:
    """Return a page of a user's eSIMs, the newest first."""
    return _OF_USER.read(connection, page, _read, wanted_user=user_id)


def esims_of_all(connection: Connection, user_ids: Collection[str]) -> dict[str, list[ESim]]:
    """Return the eSIMs of several users, the newest first."""
    query = select(*_COLUMNS).where(esim.c.user_id.in_(user_ids)).order_by(esim.c.esim_id.desc())
    found: dict[str, list[ESim]] = {user_id: [] for user_id in user_ids}
    for row in connection.execute(query):
        found[row.user_id].append(_read(row))
    return found


def set_hold(connection: Connection, esim_id: str, hold: Hold | None) -> None:
    """Store the line's hold as the ledger reports it; None if the ledger has lifted it."""
    connection.execute(update(esim).where(esim.c.esim_id == esim_id).values(hold=hold))


def set_frozen(connection: Connection, esim_id: str, frozen: bool) -> None:
    """Store whether the line is frozen, as the ledger reports it."""
    connection.execute(update(esim).where(esim.c.esim_id == esim_id).values(frozen=frozen))


def note_replaced(connection: Connection, esim_id: str, replaced_by: str) -> None:
    """Store the line that the owner has in place of another one since a move. No order goes to the old line."""
    connection.execute(update(esim).where(esim.c.esim_id == esim_id).values(replaced_by=replaced_by))


def wish_to_freeze(connection: Connection, line: ESim, *, freeze: bool) -> int | None:
    """Store that a line is to be frozen or thawed; return the number of the wish, None if nothing changes."""
    if line.wants_frozen == freeze:
        return None
    wish = line.freeze_wish + 1
    values = {"wants_frozen": freeze, "freeze_wish": wish}
    connection.execute(update(esim).where(esim.c.esim_id == line.esim_id).values(**values))
    return wish


def wish_for(
    connection: Connection,
    line: ESim,
    *,
    pause: bool,
    pause_ends_at: datetime | None = None,
    anew: bool = False,
) -> int | None:
    """Store whether the owner wants the line paused; return the number of the wish, None if nothing changes.

    With ``anew`` the wish gets a new number in any case, because something that belongs to it has changed.
    """
    same = line.wants_pause == pause and line.pause_ends_at == pause_ends_at
    if not anew and same and line.hold is not Hold.EXHAUSTED:
        return None
    wish = line.wish + 1
    values = {"wants_pause": pause, "pause_ends_at": pause_ends_at, "wish": wish}
    connection.execute(update(esim).where(esim.c.esim_id == line.esim_id).values(**values))
    return wish


def note_pause_ended(connection: Connection, esim_id: str, ended_at: datetime) -> None:
    """Store that a pause ended at its end, unless the owner has wished for something else since."""
    ended = (esim.c.esim_id == esim_id, esim.c.wants_pause.is_(True), esim.c.pause_ends_at == ended_at)
    connection.execute(update(esim).where(*ended).values(wants_pause=False, pause_ends_at=None))


def _read(row: Row[*tuple[Any, ...]]) -> ESim:
    created_at: datetime = row.created_at
    return ESim(
        esim_id=row.esim_id,
        user_id=row.user_id,
        iccid=None if row.iccid is None else Iccid(row.iccid),
        imsi=None if row.imsi is None else Imsi(row.imsi),
        matching_id=row.matching_id,
        eid=None if row.eid is None else Eid.as_read(row.eid),
        profile_state=ProfileState(row.profile_state),
        hold=None if row.hold is None else Hold(row.hold),
        wants_pause=row.wants_pause,
        wish=row.wish,
        created_at=created_at,
        smdp_address=row.smdp_address,
        frozen=row.frozen,
        wants_frozen=row.wants_frozen,
        freeze_wish=row.freeze_wish,
        replaced_by=row.replaced_by,
        kind=LineKind(row.kind),
        pause_ends_at=row.pause_ends_at,
    )


def card_of(connection: Connection, esim_id: str) -> Eid | None:
    """Return the EID of the eUICC that has or will get an eSIM's profile; None if unknown.

    Our SM-DP+ learns the EID when the card authenticates; an external SM-DP+ may report it.
    """
    query = select(profile_order.c.eid).where(profile_order.c.esim_id == esim_id)
    at_peer = select(peer_order.c.eid).where(peer_order.c.esim_id == esim_id).order_by(peer_order.c.attempt.desc())
    eid: str | None = connection.scalar(query) or connection.scalar(at_peer.limit(1))
    return None if eid is None else Eid.as_read(eid)
