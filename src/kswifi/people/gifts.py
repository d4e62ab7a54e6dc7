"""Gifts to other accounts and shares between lines of one account: offer, withdraw and claim.

Each request is one step: it checks the rules, moves the transfer's state by a compare-and-set, moves the money with
the octets, and adds the outbox entry that commands the ledger.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from kswifi.accounts.sql import user_account
from kswifi.database.engine import transaction_instant
from kswifi.esim.lines.service import card_of, find_esim
from kswifi.free_data.grants import find_grant
from kswifi.free_data.holds import require_not_held
from kswifi.free_data.service import FreeData
from kswifi.free_data.transfers import add_received_grant, give_octets, is_operators_money
from kswifi.kernel.ids import uuid7
from kswifi.kernel.quantities import format_octets
from kswifi.people import jobs, store
from kswifi.people.errors import (
    GIFT_GONE,
    GIFT_IS_YOURS,
    GIFT_NOT_READY,
    GIFT_TAKEN,
    GIFT_TOO_LARGE,
    GIFT_TOO_LATE,
    GIFTS_OFF,
    GIVER_TOO_NEW,
    NOT_GIVABLE,
    RECEIVED_ENOUGH,
    TOO_MANY_GIFTS,
    UNKNOWN_GIFT,
)
from kswifi.people.model import (
    CODE_OCTETS,
    OctetTransfer,
    TransferEvent,
    TransferKind,
    TransferState,
    gift_code,
    typed_code,
)
from kswifi.people.returns import begin_return
from kswifi.people.rules import LEAST_LEFT, GiftRules
from kswifi.sessions.ending import ON_THE_CARD
from kswifi.sessions.model import InternetSession, SessionSource
from kswifi.sessions.orders import ReceivedTerms, SessionDownloadService
from kswifi.sessions.store import find_session, get_balance, note_sent

WENT_BACK: Final = (TransferState.RETURNING, TransferState.RETURNED, TransferState.REFUSED)
OWN_ESIM_ONLY: Final = "a share goes to another line of yours"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a giver wants to pass on; ``esim_id`` is one of the giver's own lines for a share, None for a gift."""

    session_id: str
    octets: int
    esim_id: str | None = None


class GiftService:
    """Gifts and shares as people ask for them."""

    def __init__(
        self,
        downloads: SessionDownloadService,
        free_data: FreeData,
        rules: GiftRules,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.rules = rules
        self._downloads = downloads
        self._free_data = free_data
        self._random_bytes = random_bytes

    def offer(self, connection: Connection, user_id: str, wish: Wish) -> OctetTransfer:
        """Offer octets of a session: a gift with a code, or a share with another line of the same account.

        Raises:
            UnknownSessionError: the session is not the user's.
            NOT_GIVABLE, GIFT_TOO_LARGE, GIFT_TOO_LATE: the session, or the amount, cannot be given.
            GIFTS_OFF, GIVER_TOO_NEW, TOO_MANY_GIFTS: a rule of gifts refuses.
            UnknownEsimError, CARD_FULL and others: as an order on the line of a share.
        """
        now = transaction_instant(connection)
        session = find_session(connection, wish.session_id, user_id)
        self._require_givable(connection, session, wish, now)
        is_gift = wish.esim_id is None
        if is_gift:
            self._require_giver(connection, session, now)
        transfer = OctetTransfer(
            transfer_id=str(uuid7(now, self._random_bytes)),
            kind=TransferKind.GIFT if is_gift else TransferKind.SHARE,
            code=gift_code(self._random_bytes(CODE_OCTETS)) if is_gift else None,
            giver_id=user_id,
            receiver_id=None if is_gift else user_id,
            from_session_id=session.session_id,
            to_session_id=None,
            octets=wish.octets,
            kobo=0,
            withheld_octets=0,
            state=TransferState.OFFERED,
            reason=None,
            valid_until=session.valid_until,
            created_at=now,
            expires_at=now + self.rules.claim_period,
            ended_at=None,
        )
        return self.begin(connection, transfer, session, wish.esim_id)

    def begin(
        self, connection: Connection, transfer: OctetTransfer, session: InternetSession, esim_id: str | None
    ) -> OctetTransfer:
        """Store a transfer, take its money out of the session's grant, and ask the ledger to send its octets.

        With ``esim_id`` a session is ordered on that line at once: a share or a move begins with its receiver.
        """
        kobo = give_octets(
            connection,
            session.session_id,
            transfer.octets,
            withheld_octets=transfer.withheld_octets,
            to_others=transfer.kind is TransferKind.GIFT,
        )
        transfer = replace(transfer, kobo=kobo)
        if esim_id is not None:
            received = self._order_for(connection, transfer, session, transfer.giver_id, esim_id)
            transfer = replace(transfer, to_session_id=received.session_id)
        note_sent(connection, session.session_id, transfer.octets)
        store.add_transfer(connection, transfer)
        jobs.ask_to_send(connection, transfer)
        return transfer

    def order_for_own(self, connection: Connection, transfer: OctetTransfer, esim_id: str) -> InternetSession:
        """Order a session of the giver's own for a transfer that was sent, on one of the giver's lines."""
        session = find_session(connection, transfer.from_session_id)
        return self._order_for(connection, transfer, session, transfer.giver_id, esim_id)

    def claim(
        self, connection: Connection, user_id: str, code: str, *, esim_id: str | None, device_id: str | None
    ) -> OctetTransfer:
        """Claim a gift: order a session for its octets. Idempotent for the one who claimed it.

        Raises:
            UNKNOWN_GIFT, GIFT_GONE, GIFT_TAKEN, GIFT_IS_YOURS, GIFT_NOT_READY, GIFT_TOO_LATE: it cannot be claimed.
            RECEIVED_ENOUGH: the receiver's limit of gifts.
            FreeOrderRefusedError: a rule of free data refuses the receiver.
            UnknownEsimError, CARD_FULL and others: as an order.
        """
        now = transaction_instant(connection)
        transfer = self.gift(connection, code)
        if transfer.receiver_id == user_id and transfer.state not in WENT_BACK:
            return transfer
        self._require_claimable(transfer, user_id, now)
        self._require_receiver(connection, transfer, user_id, now)
        giver_session = find_session(connection, transfer.from_session_id)
        received = self._order_for(connection, transfer, giver_session, user_id, esim_id, device_id)
        claimed = store.change_state(
            connection,
            transfer,
            TransferEvent.CLAIMED,
            receiver_id=user_id,
            to_session_id=received.session_id,
            expires_at=now + self.rules.claim_period,
        )
        if claimed is None:  # another claim or a withdrawal won, and this step's session must not stay
            raise GIFT_TAKEN("this gift was claimed or withdrawn at the same moment")
        return claimed

    def withdraw(self, connection: Connection, user_id: str, code: str) -> OctetTransfer:
        """Take an unclaimed gift back. Idempotent.

        Raises:
            UNKNOWN_GIFT: the user gave no gift with this code.
            GIFT_TAKEN: it was claimed.
        """
        transfer = self.gift(connection, code)
        if transfer.giver_id != user_id:
            raise UNKNOWN_GIFT("there is no gift of yours with this code")
        if transfer.state is TransferState.OFFERED:
            store.note_reason(connection, transfer, jobs.WITHDRAWN)
            return replace(transfer, reason=jobs.WITHDRAWN)
        if transfer.state in WENT_BACK:
            return transfer
        returning = None
        if transfer.state is TransferState.SENT:
            returning = begin_return(connection, transfer, jobs.WITHDRAWN)
        if returning is None:
            raise GIFT_TAKEN("this gift was claimed already, so it cannot be taken back")
        return returning

    def gift(self, connection: Connection, code: str) -> OctetTransfer:
        """Return a gift by its code, as typed.

        Raises:
            UNKNOWN_GIFT: there is none.
        """
        transfer = store.find_by_code(connection, typed_code(code))
        if transfer is None:
            raise UNKNOWN_GIFT("there is no gift with this code: compare it sign by sign")
        return transfer

    def _order_for(
        self,
        connection: Connection,
        transfer: OctetTransfer,
        giver_session: InternetSession,
        user_id: str,
        esim_id: str | None,
        device_id: str | None = None,
    ) -> InternetSession:
        terms = ReceivedTerms(
            source=SessionSource(transfer.kind),
            offer_id=giver_session.offer_id,
            free=giver_session.free,
            allowance_octets=transfer.octets + transfer.withheld_octets,
            received_octets=transfer.octets,
            valid_until=transfer.valid_until,
            pass_period_id=giver_session.pass_period_id,
        )
        key = f"{transfer.name}:{user_id}"
        received = self._downloads.order_received(connection, user_id, terms, key, esim_id)
        grant = find_grant(connection, giver_session.session_id)
        if grant is not None:
            card = card_of(connection, received.esim_id)
            if transfer.kind is TransferKind.GIFT:
                asker = self._free_data.require_receiver(connection, user_id, transfer.octets, device_id, card)
            else:
                asker = self._free_data.asker(connection, user_id, device_id, card)
            octets, withheld = transfer.octets, transfer.withheld_octets
            add_received_grant(connection, received.session_id, grant, asker, octets, withheld)
        return received

    def _require_givable(self, connection: Connection, session: InternetSession, wish: Wish, now: datetime) -> None:
        is_gift = wish.esim_id is None
        _require_lines(connection, session, wish)
        if session.allowance_octets is None:
            raise NOT_GIVABLE("only a session with an amount can be passed on")
        if is_gift and session.source is SessionSource.GIFT:
            raise NOT_GIVABLE("a gift cannot be given on")
        if is_gift and session.pass_period_id is not None:
            raise NOT_GIVABLE("what a pass gives is for its owner")
        grant = find_grant(connection, session.session_id)
        if is_gift and (grant is None or not is_operators_money(connection, grant)):
            raise NOT_GIVABLE("a venue or sponsor pays for this session, so it is for you")
        balance, _ = get_balance(connection, session.session_id)
        # The balance may be older than an earlier offer, whose octets ``sent_octets`` contains already.
        held = session.allowance_octets - session.sent_octets - balance.used - balance.reserved - balance.withheld
        available = max(0, min(balance.available, held))
        if wish.octets > available:
            raise GIFT_TOO_LARGE(
                f"{format_octets(available)} of this session can be passed on now", available_octets=available
            )
        if session.valid_until < now + LEAST_LEFT:
            raise GIFT_TOO_LATE("this session ends in less than a day", valid_until=session.valid_until.isoformat())

    def _require_giver(self, connection: Connection, session: InternetSession, now: datetime) -> None:
        if not self.rules.enabled:
            raise GIFTS_OFF("gifts are switched off here")
        t = user_account.c
        row = connection.execute(select(t.phone_mark, t.created_at).where(t.user_id == session.user_id)).one()
        if self.rules.giver_verified and row.phone_mark is None:
            raise GIVER_TOO_NEW("verify your phone number first: a code is sent to it", do="verify_phone")
        require_not_held(connection, session.user_id)
        since = row.created_at + self.rules.giver_age
        if now < since:
            raise GIVER_TOO_NEW("your account can give data later", wait_until=since.isoformat())
        if store.open_gifts(connection, session.user_id) >= self.rules.open_at_once:
            raise TOO_MANY_GIFTS(
                f"{self.rules.open_at_once} gifts of yours are open: wait until one is claimed, or take one back",
                limit=self.rules.open_at_once,
            )

    def _require_claimable(self, transfer: OctetTransfer, user_id: str, now: datetime) -> None:
        if transfer.giver_id == user_id:
            raise GIFT_IS_YOURS("you gave this: take it back if you want it yourself")
        if transfer.state is TransferState.OFFERED and transfer.reason is None:
            raise GIFT_NOT_READY("this gift is being prepared: ask again in a moment", retry_after_seconds=1)
        if transfer.state in (TransferState.CLAIMED, TransferState.RECEIVING, TransferState.RECEIVED):
            raise GIFT_TAKEN("this gift was claimed already")
        if transfer.state is not TransferState.SENT or transfer.expires_at <= now:
            raise GIFT_GONE("this gift was taken back, or nobody claimed it in time")
        if transfer.valid_until < now + LEAST_LEFT:
            raise GIFT_TOO_LATE("these octets end in less than a day", valid_until=transfer.valid_until.isoformat())

    def _require_receiver(
        self, connection: Connection, transfer: OctetTransfer, user_id: str, now: datetime
    ) -> None:
        rules = self.rules
        octets, givers = store.received_since(connection, user_id, now - rules.receiver_period)
        room = max(0, rules.receiver_octets - octets)
        if transfer.octets > room:
            raise RECEIVED_ENOUGH(
                f"an account receives {format_octets(rules.receiver_octets)} in {rules.receiver_period.days} days; "
                f"{format_octets(room)} of them are left",
                left_octets=room,
            )
        if len(givers | {transfer.giver_id}) > rules.receiver_givers:
            raise RECEIVED_ENOUGH(
                f"an account receives from {rules.receiver_givers} people in {rules.receiver_period.days} days",
                givers=rules.receiver_givers,
            )


def _require_lines(connection: Connection, session: InternetSession, wish: Wish) -> None:
    """Refuse a session that no card of ours stores, and a share with the same line or with a provider's."""
    if not find_esim(connection, session.esim_id).is_card:
        raise NOT_GIVABLE("a data provider's bundle belongs to its line: its octets cannot be passed on")
    if session.state not in ON_THE_CARD:
        raise NOT_GIVABLE("only a session stored on its card can be passed on", state=str(session.state))
    if wish.esim_id is not None:
        esim = find_esim(connection, wish.esim_id, session.user_id)
        if esim.esim_id == session.esim_id or not esim.is_card:
            raise NOT_GIVABLE(OWN_ESIM_ONLY, esim_id=esim.esim_id)
