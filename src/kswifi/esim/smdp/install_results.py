"""Process cards' notifications: verify install results and match them to orders; record deletions (SGP.22, 5.6.4).

A card repeats a notification until it is acknowledged, so processing is idempotent. A notification without
effect here is acknowledged and logged.
"""

from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, after_commit
from kswifi.esim.model import PROFILE_TRANSITIONS, ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import Point, report_progress
from kswifi.esim.smdp.orders import move_order, note_deletion, settle_line
from kswifi.esim.smdp.packages import iccid_octets
from kswifi.esim.smdp.rsp_model import ProfileOrder, RspSessionEvent, RspSessionState
from kswifi.esim.smdp.rsp_store import RspSession, find_rsp_session, move_rsp_session
from kswifi.kernel.numbers import Iccid
from kswifi.rsp import smdp
from kswifi.rsp.messages.metadata import NotificationEvent
from kswifi.rsp.messages.notifications import (
    InstallFailure,
    InstallResult,
    OtherSignedNotification,
    decode_pending_notification,
)
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.rsp.trust import CardChain, Trust

_log = structlog.get_logger(__name__)


class InstallResults:
    """Process the notifications of ES9+.HandleNotification."""

    def __init__(self, database: Database, trust: Trust) -> None:
        self._database = database
        self._trust = trust

    async def handle_notification(self, pending: bytes) -> None:
        """Process one notification. Idempotent.

        Raises:
            RspDecodeError: it is not a notification. Everything else is acknowledged.
        """
        notification = decode_pending_notification(pending)
        if isinstance(notification, OtherSignedNotification):
            chain = self._check_other(notification)
            if chain is not None:
                other: OtherSignedNotification = notification
                await self._database.write(lambda connection: self._take_other(connection, other, chain))
        else:
            result: InstallResult = notification
            await self._database.write(lambda connection: self._take(connection, result, pending))

    def _take(self, connection: Connection, result: InstallResult, pending: bytes) -> None:
        """Settle the order that a card's signed result is about. Idempotent: a repeated one is only logged."""
        transaction_id = result.data.transaction_id
        known = find_rsp_session(connection, transaction_id)
        if known is None:
            _warn(connection, "install_result_unknown", transaction_id=transaction_id.hex())
            return
        opened, order = known
        try:
            data = smdp.check_install_result(
                result,
                transaction_id=transaction_id,
                iccid=iccid_octets(order.iccid),
                card_key=opened.card_key,
            )
        except RspRefusedError as error:
            _warn(connection, "install_result_refused", transaction_id=transaction_id.hex(), reason=error.message)
            return
        if isinstance(data.final_result, InstallFailure):
            _take_failure(connection, opened, order, data.final_result, pending)
        else:
            _take_success(connection, opened, order, data.notification.sequence_number, pending)

    def _take_other(self, connection: Connection, notification: OtherSignedNotification, chain: CardChain) -> None:
        """Record a deletion on the orders of the profile; enable and disable notifications have no effect."""
        about = notification.notification
        if about.event is NotificationEvent.DELETE and about.iccid is not None:
            note_deletion(connection, chain.eid, str(Iccid.from_bytes(about.iccid)), about.sequence_number)

    def _check_other(self, notification: OtherSignedNotification) -> CardChain | None:
        """Return the chain of the card that signed a notification; None if refused, with the reason logged."""
        about = notification.notification
        try:
            chain = smdp.check_other_notification(notification, trust=self._trust, at=self._database.clock.now())
        except RspRefusedError as error:
            _log.warning("notification_refused", profile_event=about.event.name.lower(), reason=error.message)
            return None
        _log.info("notification", profile_event=about.event.name.lower(), sequence=about.sequence_number)
        return chain


def _take_failure(
    connection: Connection, opened: RspSession, order: ProfileOrder, failure: InstallFailure, pending: bytes
) -> None:
    """Record a failed installation; it ends the order if no success is known."""
    transaction_id = opened.transaction_id
    if opened.state is not RspSessionState.BOUND:
        _info(
            connection,
            "install_result_again",
            transaction_id=transaction_id.hex(),
            state=str(opened.state),
        )
        return
    move_rsp_session(connection, opened, RspSessionEvent.FAIL, install_result=pending)
    if order.profile_state is not ProfileState.DOWNLOADED:
        _warn(
            connection,
            "install_result_late",
            transaction_id=transaction_id.hex(),
            state=str(order.profile_state),
        )
        return
    words = f"the card did not install it: command {failure.command}, reason {failure.reason}"
    _fail(connection, order, transaction_id, words)
    refused = RspRefusedError(Status.EUICC_REFUSED, words)
    report_progress(connection, order, Point.BPP_INSTALLATION, opened.eid, transaction_id, refused)
    _warn(connection, "profile_not_installed", transaction_id=transaction_id.hex(), reason=words)


def _take_success(
    connection: Connection, opened: RspSession, order: ProfileOrder, sequence_number: int, pending: bytes
) -> None:
    """Record a successful installation in any transaction of the order. It overrides failures and cancellations.

    Notifications arrive in any order. A card whose success was not delivered may try again; the second try
    fails because the profile is installed, and that failure may arrive first. Only a deletion with a higher
    sequence number means that the profile is no longer installed.
    """
    transaction_id, state = opened.transaction_id, order.profile_state
    if opened.state is RspSessionState.INSTALLED or opened.euicc_otpk is None:
        _info(
            connection,
            "install_result_again",
            transaction_id=transaction_id.hex(),
            state=str(opened.state),
        )
        return
    move_rsp_session(connection, opened, RspSessionEvent.INSTALL, install_result=pending)
    if (state, ProfileEvent.INSTALL) not in PROFILE_TRANSITIONS:
        _warn(connection, "install_result_late", transaction_id=transaction_id.hex(), state=str(state))
        return
    if order.deleted_sequence is not None and order.deleted_sequence > sequence_number:
        _warn(connection, "profile_deleted_since", transaction_id=transaction_id.hex(), state=str(state))
        if state is ProfileState.DOWNLOADED:
            _fail(connection, order, transaction_id, "the card has deleted the profile again")
        return
    unbound = {"bound_otpk": None, "bound_identity": None, "sealed_binding": None}
    move_order(connection, order, ProfileEvent.INSTALL, **unbound)
    settle_line(connection, order, transaction_id, None)
    report_progress(connection, order, Point.BPP_INSTALLATION, opened.eid, transaction_id)
    _info(connection, "profile_installed", transaction_id=transaction_id.hex(), order_id=order.order_id)


def _fail(connection: Connection, order: ProfileOrder, transaction_id: bytes, words: str) -> None:
    move_order(connection, order, ProfileEvent.FAIL, state_reason=words)
    settle_line(connection, order, transaction_id, words)


def _info(connection: Connection, event: str, **facts: str) -> None:
    """Log once the transaction is committed: a step may be rolled back and run again."""
    after_commit(connection, partial(_log.info, event, **facts))


def _warn(connection: Connection, event: str, **facts: str) -> None:
    after_commit(connection, partial(_log.warning, event, **facts))
