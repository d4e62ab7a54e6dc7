"""Report download progress to operators through the outbox: ES2+.HandleDownloadProgressInfo (SGP.22, 5.3.5).

The outbox entry is written in the transaction of the reported event, so a crash can neither lose a report nor
produce one for an event that was rolled back.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.esim.smdp.rsp_model import ProfileOrder
from kswifi.kernel.numbers import Eid
from kswifi.outbox.service import enqueue
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.status_codes import RspRefusedError, Status

DOWNLOAD_PROGRESS: Final = "esim.download_progress"
"""Outbox topic: call the operator's callback URL."""


class Point(IntEnum):
    """NotificationPointId: the step of a download."""

    ELIGIBILITY = 1
    """The eligibility and retry limit check."""
    CONFIRMATION_FAILURE = 2
    BPP_DOWNLOAD = 3
    BPP_INSTALLATION = 4


CANCELLED: Final[Mapping[int, Status]] = {
    CancelReason.END_USER_REJECTION: Status.CANCELLED_BY_USER,
    CancelReason.POLICY_RULES_NOT_ALLOWED: Status.CANCELLED_BY_RULES,
    CancelReason.METADATA_MISMATCH: Status.CANCELLED_FOR_METADATA,
    CancelReason.LOAD_BPP_EXECUTION_ERROR: Status.CANCELLED_WHILE_LOADING,
}
"""Status codes that are reported for a card's reasons for cancelling."""


def report_progress(
    connection: Connection,
    order: ProfileOrder,
    point: Point,
    eid: Eid,
    transaction_id: bytes,
    refused: RspRefusedError | None = None,
    *,
    again: int = 0,
) -> None:
    """Enqueue a report to the operator of an order, once for each transaction, point, outcome and ``again``."""
    if order.operator_id is None:
        return
    outcome = "ok" if refused is None else refused.status.name.lower()
    failure = None
    if refused is not None:
        status = refused.status
        failure = {"subject": status.subject_code, "reason": status.reason_code, "message": refused.message}
    enqueue(
        connection,
        kind=DOWNLOAD_PROGRESS,
        key=f"{DOWNLOAD_PROGRESS}:{transaction_id.hex()}:{int(point)}:{outcome}:{again}",
        payload={
            "operator_id": order.operator_id,
            "iccid": order.iccid,
            "profile_type": order.profile_type,
            "eid": str(eid),
            "timestamp": f"{transaction_instant(connection):%Y-%m-%dT%H:%M:%SZ}",
            "point": int(point),
            "failure": failure,
        },
    )
