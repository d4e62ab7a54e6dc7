"""What cards report at the end: install results, verified and matched, and other signed notifications.

A card repeats a notification until it is acknowledged, so each is taken once however often it comes, and one that
means nothing here is acknowledged too (SGP.22, 5.6.4): it is said in the log.
"""

from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, after_commit
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import Point, report_progress
from kswifi.esim.smdp.orders import move_order, settle_line
from kswifi.esim.smdp.packages import iccid_octets
from kswifi.esim.smdp.rsp_model import RspSessionEvent, RspSessionState
from kswifi.esim.smdp.rsp_store import find_rsp_session, move_rsp_session
from kswifi.rsp import smdp
from kswifi.rsp.messages.notifications import (
    InstallFailure,
    InstallResult,
    OtherSignedNotification,
    decode_pending_notification,
)
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.rsp.trust import Trust

_log = structlog.get_logger(__name__)


class InstallResults:
    """Takes what ES9+.HandleNotification brings."""

    def __init__(self, database: Database, trust: Trust) -> None:
        self._database = database
        self._trust = trust

    async def handle_notification(self, pending: bytes) -> None:
        """Take one notification.

        Raises:
            RspDecodeError: it is none. Everything else is acknowledged.
        """
        notification = decode_pending_notification(pending)
        if isinstance(notification, OtherSignedNotification):
            self._say_other(notification)
        else:
            result: InstallResult = notification
            await self._database.write(lambda connection: self._take(connection, result, pending))

    def _take(self, connection: Connection, result: InstallResult, pending: bytes) -> None:
        transaction_id = result.data.transaction_id
        known = find_rsp_session(connection, transaction_id)
        if known is None:
            after_commit(
                connection, partial(_log.warning, "install_result_unknown", transaction_id=transaction_id.hex())
            )
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
            after_commit(
                connection,
                partial(
                    _log.warning,
                    "install_result_refused",
                    transaction_id=transaction_id.hex(),
                    reason=error.message,
                ),
            )
            return
        if opened.state is not RspSessionState.BOUND:
            after_commit(
                connection,
                partial(
                    _log.info, "install_result_again", transaction_id=transaction_id.hex(), state=str(opened.state)
                ),
            )
            return
        failure = data.final_result if isinstance(data.final_result, InstallFailure) else None
        event = RspSessionEvent.INSTALL if failure is None else RspSessionEvent.FAIL
        move_rsp_session(connection, opened, event, install_result=pending)
        if order.profile_state is not ProfileState.DOWNLOADED:
            after_commit(
                connection,
                partial(
                    _log.warning,
                    "install_result_late",
                    transaction_id=transaction_id.hex(),
                    state=str(order.profile_state),
                ),
            )
            return
        if failure is not None:
            words = f"the card did not install it: command {failure.command}, reason {failure.reason}"
            move_order(connection, order, ProfileEvent.FAIL, state_reason=words)
            settle_line(connection, order, transaction_id, words)
            refused = RspRefusedError(Status.EUICC_REFUSED, words)
            report_progress(connection, order, Point.BPP_INSTALLATION, opened.eid, transaction_id, refused)
            after_commit(
                connection,
                partial(_log.warning, "profile_not_installed", transaction_id=transaction_id.hex(), reason=words),
            )
            return
        move_order(
            connection, order, ProfileEvent.INSTALL, bound_otpk=None, bound_identity=None, sealed_binding=None
        )
        settle_line(connection, order, transaction_id, None)
        report_progress(connection, order, Point.BPP_INSTALLATION, opened.eid, transaction_id)
        after_commit(
            connection,
            partial(_log.info, "profile_installed", transaction_id=transaction_id.hex(), order_id=order.order_id),
        )

    def _say_other(self, notification: OtherSignedNotification) -> None:
        about = notification.notification
        try:
            smdp.check_other_notification(notification, trust=self._trust, at=self._database.clock.now())
        except RspRefusedError as error:
            _log.warning("notification_refused", profile_event=about.event.name.lower(), reason=error.message)
            return
        _log.info("notification", profile_event=about.event.name.lower(), sequence=about.sequence_number)
