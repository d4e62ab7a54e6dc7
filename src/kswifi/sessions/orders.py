"""Users' requests for sessions: order, download, transfer, activate, pause, cancel.

Each method is one short transaction: it checks the request, moves the session's state and adds outbox entries for
the remaining work. No method calls the ledger or the card.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from kswifi.catalogue.model import Offer, valid_until
from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.lines.service import card_of, esims_of, find_esim
from kswifi.esim.model import ESim, ProfileState
from kswifi.esim.ports import LineOrders
from kswifi.free_data.service import FreeData
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.ids import uuid7
from kswifi.kernel.pages import FIRST_PAGE, Page, PageRequest
from kswifi.payments.rules import PassRules
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.sessions import jobs
from kswifi.sessions.ending import end_unused_session, may_be_spent
from kswifi.sessions.errors import (
    CARD_FULL,
    ESIM_NOT_FRESH,
    IDEMPOTENCY_KEY_REUSED,
    NOT_CANCELLABLE,
    PACKAGE_DIGEST_MISMATCH,
    PACKAGE_NOT_READY,
    SESSION_ENDED,
)
from kswifi.sessions.line import ESIMSessionManager
from kswifi.sessions.model import (
    CANCELLABLE_STATES,
    LIVE_STATES,
    InternetSession,
    SessionEvent,
    SessionOverview,
    SessionSource,
    SessionState,
)
from kswifi.sessions.pass_terms import PassTerms, require_free_offer, terms_under_pass
from kswifi.sessions.store import (
    add_session,
    find_overview,
    find_session,
    get_package,
    live,
    ordered_with,
    overviews_of,
    sessions_on,
)
from kswifi.sessions.transitions import move_session

NEW_ESIM: Final = "new"
"""Value of ``esim_id`` that requests a new profile although the user has one: the phone was lost."""


@dataclass(frozen=True, slots=True)
class ReceivedTerms:
    """The terms of a session for octets of another session, whose offer, payer and validity it has."""

    source: SessionSource
    offer_id: str
    free: bool
    allowance_octets: int | None
    valid_until: datetime
    pass_period_id: str | None
    received_octets: int = 0


class SessionDownloadService:
    """Orders sessions and moves them from the server to the eSIM; ``passes`` is None if payments are not set up."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        orders: LineOrders,
        manager: ESIMSessionManager,
        free_data: FreeData,
        passes: PassRules | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._orders = orders
        self._manager = manager
        self._free_data = free_data
        self._passes = passes
        self._random_bytes = random_bytes

    async def download_session(
        self,
        user_id: str,
        session_size: int | None,
        *,
        esim_id: str | None = None,
        idempotency_key: str | None = None,
        device_id: str | None = None,
    ) -> InternetSession:
        """Order the offer with this session size in octets; None orders the uncapped offer.

        The package is signed shortly after (state ``packaged``) and can then be fetched. Idempotent by
        ``idempotency_key``. Errors are those of ``order``.

        Raises:
            UNKNOWN_OFFER: no offer has this size.
            and as ``order``.
        """
        offer = self._catalogue.offer_of_size(session_size)
        return await self.order(
            user_id, offer.id, esim_id=esim_id, idempotency_key=idempotency_key, device_id=device_id
        )

    async def order(
        self,
        user_id: str,
        offer_id: str,
        *,
        esim_id: str | None = None,
        idempotency_key: str | None = None,
        device_id: str | None = None,
    ) -> InternetSession:
        """Order an offer for the named eSIM, else for the user's installed eSIM, else for a new one.

        ``NEW_ESIM`` as ``esim_id`` requests a new eSIM. Idempotent by ``idempotency_key``.

        Raises:
            UNKNOWN_OFFER: there is no such offer.
            PAYMENT_REQUIRED, PaymentsNotSetUpError: it has a price, and no pass runs; nothing was taken.
            FAIR_USE_REACHED, TOO_MANY_PASS_SESSIONS: the pass does not reach.
            FreeOrderRefusedError: a rule of free data says no, by its own subclass.
            UnknownEsimError, ESIM_NOT_FRESH: the eSIM is not the user's, or waits for its first session.
            CARD_FULL: no record of its card is free.
            NumbersUsedUpError: there is no number left for a new profile.
            IDEMPOTENCY_KEY_REUSED: the key has ordered something else.
        """
        offer, key = self._catalogue.offer(offer_id), idempotency_key or secrets.token_hex(16)
        with self._free_data.counting_refusals():
            return await self._database.write(
                lambda connection: self.order_step(connection, user_id, offer, key, esim_id, device_id)
            )

    def order_step(
        self,
        connection: Connection,
        user_id: str,
        offer: Offer,
        idempotency_key: str,
        esim_id: str | None = None,
        device_id: str | None = None,
    ) -> InternetSession:
        """Order an offer within the caller's step, as ``order``; the caller counts refusals."""
        earlier = ordered_with(connection, user_id, idempotency_key)
        if earlier is not None:
            if earlier.offer_id != offer.id or esim_id not in (None, NEW_ESIM, earlier.esim_id):
                raise IDEMPOTENCY_KEY_REUSED("this Idempotency-Key has ordered another session")
            return earlier
        under_pass = terms_under_pass(connection, user_id, offer, self._passes)
        if under_pass is None:
            require_free_offer(offer, self._passes)
        else:  # users with a pass are identified too; the other rules of free data do not apply to them
            self._free_data.require_identified(connection, user_id)
        most = self._orders.require_bundle(connection, offer)
        if under_pass is not None and most is not None:
            allowance = most if under_pass.allowance_octets is None else min(most, under_pass.allowance_octets)
            under_pass = replace(under_pass, allowance_octets=allowance)
        esim = self._line_for(connection, user_id, esim_id)
        session = self._new_session(connection, user_id, esim, offer, under_pass)
        if under_pass is None:
            self._free_data.take(
                connection,
                user_id=user_id,
                session_id=session.session_id,
                offer=offer,
                device_id=device_id,
                eid=card_of(connection, esim.esim_id),
            )
        self._add(connection, session, idempotency_key)
        return session

    def give_step(
        self, connection: Connection, user_id: str, offer: Offer, idempotency_key: str
    ) -> InternetSession:
        """Order a free offer that support gives to a user, within the caller's step. Idempotent by the key.

        Raises:
            FreeDataStoppedError, BudgetGoneError: the operator's money does not reach.
            CARD_FULL, NumbersUsedUpError: as ``order``.
        """
        earlier = ordered_with(connection, user_id, idempotency_key)
        if earlier is not None:
            return earlier
        esim = self._line_for(connection, user_id, None)
        session = self._new_session(connection, user_id, esim, offer, None)
        self._free_data.take_as_goodwill(connection, user_id=user_id, session_id=session.session_id, offer=offer)
        self._add(connection, session, idempotency_key)
        return session

    def order_received(
        self, connection: Connection, user_id: str, terms: ReceivedTerms, key: str, esim_id: str | None = None
    ) -> InternetSession:
        """Order a session for octets that come from another one, within the caller's step. Idempotent by ``key``.

        The session has an empty account until the octets are received, and the caller adds its grant. The eSIM is
        chosen as for ``order``.

        Raises:
            UnknownEsimError, ESIM_NOT_FRESH, CARD_FULL, NumbersUsedUpError: as ``order``.
        """
        earlier = ordered_with(connection, user_id, key)
        if earlier is not None:
            return earlier
        esim = self._line_for(connection, user_id, esim_id)
        session = InternetSession(
            session_id=self._new_id(connection),
            user_id=user_id,
            esim_id=esim.esim_id,
            offer_id=terms.offer_id,
            free=terms.free,
            allowance_octets=terms.allowance_octets,
            state=SessionState.ORDERED,
            state_reason=None,
            ordered_at=transaction_instant(connection),
            valid_until=terms.valid_until,
            package_sha256=None,
            package_octets=None,
            storage_proof=None,
            activated_at=None,
            pass_period_id=terms.pass_period_id,
            source=terms.source,
            received_octets=terms.received_octets,
        )
        self._add(connection, session, key)
        return session

    def _add(self, connection: Connection, session: InternetSession, key: str) -> None:
        add_session(connection, session, key)
        jobs.ask_to_prepare(connection, session)
        jobs.ask_to_expire(connection, session)

    def _new_id(self, connection: Connection) -> str:
        return str(uuid7(transaction_instant(connection), self._random_bytes))

    def _line_for(self, connection: Connection, user_id: str, esim_id: str | None) -> ESim:
        esim = self._profile_for(connection, user_id, esim_id)
        self._require_room(connection, esim)
        return esim

    def _profile_for(self, connection: Connection, user_id: str, esim_id: str | None) -> ESim:
        """Return the eSIM of an order: the named one, else the user's installed one, else a new one."""
        if esim_id in (None, NEW_ESIM):
            mine = esims_of(connection, user_id)
            installed = self.line_for_more(mine)
            if esim_id is None and installed is not None:
                return installed
            return self._vacant(connection, mine) or self._orders.allocate(connection, user_id)
        esim = find_esim(connection, esim_id, user_id)
        if esim.profile_state is ProfileState.INSTALLED:
            return esim
        carried = live(sessions_on(connection, esim.esim_id))
        if carried is not None or esim.profile_state is not ProfileState.ALLOCATED:
            raise ESIM_NOT_FRESH(
                "this eSIM waits for its first session: install that first, or order for a new eSIM",
                esim_id=esim.esim_id,
            )
        return esim

    def _vacant(self, connection: Connection, mine: list[ESim]) -> ESim | None:
        """Return an allocated line whose profile was never released and whose session has ended, None without one.

        The next order reuses its number. Otherwise orders that are cancelled would use up the operator's number
        range, or the stock at an external SM-DP+.
        """
        for esim in mine:
            fresh = esim.profile_state is ProfileState.ALLOCATED and self._orders.are_delivered_as(esim)
            fresh = fresh and esim.replaced_by is None and not esim.wants_frozen
            if fresh and live(sessions_on(connection, esim.esim_id)) is None:
                return esim
        return None

    def _require_room(self, connection: Connection, esim: ESim) -> None:
        """Refuse an order for a card whose records all hold live sessions."""
        waiting = [it for it in sessions_on(connection, esim.esim_id) if it.state in LIVE_STATES]
        if len(waiting) >= SESSION_RECORDS:
            raise CARD_FULL(
                f"this eSIM holds {SESSION_RECORDS} sessions: use one up, or take one back",
                esim_id=esim.esim_id,
                records=SESSION_RECORDS,
            )

    def _new_session(
        self, connection: Connection, user_id: str, esim: ESim, offer: Offer, under_pass: PassTerms | None
    ) -> InternetSession:
        now, zone = transaction_instant(connection), self._free_data.rules.zone
        return InternetSession(
            session_id=self._new_id(connection),
            user_id=user_id,
            esim_id=esim.esim_id,
            offer_id=offer.id,
            free=under_pass is None,
            allowance_octets=under_pass.allowance_octets if under_pass else offer.allowance_octets,
            state=SessionState.ORDERED,
            state_reason=None,
            ordered_at=now,
            valid_until=under_pass.valid_until if under_pass else valid_until(now, offer, zone),
            package_sha256=None,
            package_octets=None,
            storage_proof=None,
            activated_at=None,
            pass_period_id=under_pass.period_id if under_pass else None,
        )

    def line_for_more(self, esims: Iterable[ESim]) -> ESim | None:
        """Return the line of an order that names none: the first installed one that takes another session, or None.

        Args:
            esims: the eSIMs of one user, the newest first.
        """
        usable = (it for it in esims if it.replaced_by is None and not it.wants_frozen)
        ready = (it for it in usable if it.profile_state is ProfileState.INSTALLED)
        return next((it for it in ready if self._orders.takes_more(it)), None)

    def refusal(self, connection: Connection, user_id: str, offer: Offer, esim: ESim) -> KswifiError | None:
        """Return why an order of an offer for a line would be refused now; None if it would not.

        The device is not known before the order, so its limit is not applied.
        """
        try:
            self._orders.require_bundle(connection, offer)
            self._require_room(connection, esim)
            if terms_under_pass(connection, user_id, offer, self._passes) is not None:
                self._free_data.require_identified(connection, user_id)
                return None
            require_free_offer(offer, self._passes)
        except KswifiError as refused:
            return refused
        return self._free_data.refusal(connection, user_id, offer, card_of(connection, esim.esim_id))

    async def session(self, user_id: str, session_id: str) -> InternetSession:
        """Return one of a user's sessions.

        Raises:
            UnknownSessionError: no such session, or it belongs to another user.
        """
        return await self._database.read(lambda connection: find_session(connection, session_id, user_id))

    async def overview(self, user_id: str, session_id: str) -> SessionOverview:
        """Return one of a user's sessions with its card and its balance.

        Raises:
            UnknownSessionError: as ``session``.
        """
        return await self._database.read(lambda connection: overview_of(connection, user_id, session_id))

    async def sessions(self, user_id: str) -> list[SessionOverview]:
        """Return the first page of a user's sessions, the newest first."""
        return await self._database.read(lambda connection: overviews_of(connection, user_id, FIRST_PAGE).items)

    async def standing(self, user_id: str, page: PageRequest) -> tuple[Page[SessionOverview], int]:
        """Return a page of a user's sessions, the newest first, and the free octets that are left to order."""
        return await self._database.read(
            lambda connection: (
                overviews_of(connection, user_id, page),
                self._free_data.left_octets(connection, user_id),
            )
        )

    async def package(self, user_id: str, session_id: str) -> tuple[InternetSession, bytes]:
        """Return a session and its signed package; the first call moves the session to ``downloading``.

        Raises:
            UnknownSessionError: as ``session``.
            PACKAGE_NOT_READY: it is being signed.
            SESSION_ENDED: it is over.
        """

        def look(connection: Connection) -> tuple[InternetSession, bytes | None]:
            session = find_session(connection, session_id, user_id)
            package = get_package(connection, session.session_id)
            return session, package

        session, package = await self._database.read(look)
        if session.state not in LIVE_STATES:
            raise SESSION_ENDED(f"this session is {session.state}", state=str(session.state))
        if package is None:
            raise PACKAGE_NOT_READY("the package is being signed: ask again in a moment", retry_after_seconds=1)
        if session.state is SessionState.PACKAGED:

            def change(connection: Connection) -> InternetSession:
                session = find_session(connection, session_id, user_id)
                if session.state is SessionState.PACKAGED:
                    session = move_session(connection, session, SessionEvent.DOWNLOAD_STARTED)
                return session

            session = await self._database.write(change)
        return session, package

    async def confirm_download(self, user_id: str, session_id: str, sha256: str) -> InternetSession:
        """Confirm by digest that the device holds the whole package. Idempotent.

        Raises:
            UnknownSessionError: as ``session``.
            PACKAGE_DIGEST_MISMATCH: it holds something else: fetch it again.
            ILLEGAL_TRANSITION: it was never fetched, or the session is over.
        """
        return await self._database.write(
            lambda connection: confirm_download(connection, user_id, session_id, sha256)
        )

    async def transfer_to_esim(self, session_id: str, esim_id: str) -> InternetSession:
        """Begin to bring a downloaded session onto its eSIM, as ``ESIMSessionManager.store_session_on_esim``.

        After a failed transfer it can be asked for again.
        """
        return await self._manager.store_session_on_esim(session_id, esim_id)

    async def activate_session_on_esim(self, esim_id: str, session_id: str | None = None) -> ESim:
        """Request that the eSIM's line is switched on, as ``ESIMSessionManager.activate_stored_session``."""
        return await self._manager.activate_stored_session(esim_id, session_id)

    async def deactivate_session(self, esim_id: str) -> ESim:
        """Request that the eSIM's line is paused: it has control-only access until it is activated again.

        Raises:
            UnknownEsimError: there is none.
            NO_SESSION_ON_ESIM: nothing stored on it could be paused.
        """
        return await self._manager.pause(esim_id)

    async def cancel(self, user_id: str, session_id: str) -> InternetSession:
        """Cancel an order without usage and give the free allowance back. Idempotent.

        A session whose storage is proved is ended by the ledger first, because the network might be using it. It
        becomes ``revoked`` once the ledger has confirmed.

        Raises:
            UnknownSessionError: as ``session``.
            NOT_CANCELLABLE: it is in use, or over.
        """
        return await self._database.write(lambda connection: cancel_session(connection, user_id, session_id))


def overview_of(connection: Connection, user_id: str, session_id: str) -> SessionOverview:
    """Return one of a user's sessions with its card and its balance.

    Raises:
        UnknownSessionError: no such session, or it belongs to another user.
    """
    session = find_session(connection, session_id, user_id)
    return find_overview(connection, user_id, session.session_id)


def confirm_download(connection: Connection, user_id: str, session_id: str, sha256: str) -> InternetSession:
    """Confirm a download, as ``SessionDownloadService.confirm_download``, within the caller's step."""
    session = find_session(connection, session_id, user_id)
    if not hmac.compare_digest(sha256.lower().encode(), (session.package_sha256 or "").encode()):
        raise PACKAGE_DIGEST_MISMATCH(
            "this is not the digest of the package: fetch it again", sha256=session.package_sha256
        )
    if session.state in LIVE_STATES and session.state not in (SessionState.PACKAGED, SessionState.DOWNLOADING):
        return session
    return move_session(connection, session, SessionEvent.DOWNLOAD_CONFIRMED)


def cancel_session(connection: Connection, user_id: str, session_id: str) -> InternetSession:
    """Cancel an order, as ``SessionDownloadService.cancel``, within the caller's step."""
    session = find_session(connection, session_id, user_id)
    if session.state is SessionState.REVOKED:
        return session
    if session.state not in CANCELLABLE_STATES:
        raise NOT_CANCELLABLE(f"a session that is {session.state} cannot be taken back", state=str(session.state))
    jobs.ask_to_revoke(connection, session, "cancelled")
    if may_be_spent(session):
        return session
    return end_unused_session(connection, session, SessionEvent.REVOKED, "cancelled")


def revoke_session(connection: Connection, session_id: str, reason: str) -> InternetSession:
    """End a session of any user by the operator's decision, within the caller's step. Idempotent.

    A session that may be spent is ended by the ledger, and becomes ``revoked`` once the ledger has confirmed.

    Raises:
        UnknownSessionError: there is no such session.
        SESSION_ENDED: it has ended in another way.
    """
    session = find_session(connection, session_id)
    if session.state is SessionState.REVOKED:
        return session
    if session.state not in LIVE_STATES:
        raise SESSION_ENDED(f"this session is {session.state}", state=str(session.state))
    jobs.ask_to_revoke(connection, session, reason)
    if may_be_spent(session):
        return session
    return end_unused_session(connection, session, SessionEvent.REVOKED, reason)


def package_digest(package: bytes) -> str:
    """Return the SHA-256 digest of a package in hexadecimal; a device confirms its download with it."""
    return hashlib.sha256(package).hexdigest()
