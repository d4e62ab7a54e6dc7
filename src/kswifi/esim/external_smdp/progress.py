"""Notifications of an external SM-DP+ about our orders: ES2+.HandleDownloadProgressInfo (SGP.22 v2, 5.3.5).

A notification may come twice, late and out of order. Each is stored once in the outbox before it is
acknowledged. It moves an order only if the order's state allows it; an installed profile never goes back to
an earlier state.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, after_commit
from kswifi.esim.external_smdp.orders import (
    CONFIRM_ORDER,
    INSTALLS_FROM,
    PeerOrder,
    move_peer_order,
    order_at_peer,
    order_at_peer_by_iccid,
)
from kswifi.esim.jobs import PROFILE_SETTLED
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import Point
from kswifi.kernel.numbers import Eid
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, JobResult, Unknown
from kswifi.outbox.service import enqueue
from kswifi.rsp.status_codes import RspRefusedError, Status

PEER_PROGRESS: Final = "esim.peer_progress"
"""Outbox topic: apply a progress notification to its order."""

_ON_ITS_WAY: Final = (ProfileState.RELEASED, ProfileState.DOWNLOADED)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """One progress notification. ``failure`` is the reason why a step failed, None if it succeeded."""

    identifier: str
    iccid: str
    eid: str | None
    point: int
    failure: str | None


class PeerProgress:
    """Receive progress notifications from clients that authenticate with one of these TLS certificates (DER)."""

    def __init__(self, database: Database, certificates: Iterable[bytes]) -> None:
        self._database = database
        self.certificates: Final = tuple(certificates)

    async def take(self, certificate: bytes | None, progress: Progress) -> None:
        """Store a notification for the worker. Idempotent: a repeated notification is stored once.

        Raises:
            RspRefusedError: the client is not our SM-DP+, or its order is not for one of our lines.
        """
        if certificate not in self.certificates:
            raise RspRefusedError(Status.REQUESTER_UNKNOWN)
        await self._database.write(lambda connection: _keep(connection, progress))

    async def work(self, entry: Entry) -> JobResult:
        """Apply a stored notification to its order (outbox job)."""
        return await self._database.write(lambda connection: _apply(connection, entry.key, dict(entry.payload)))


def _keep(connection: Connection, progress: Progress) -> None:
    order = order_at_peer_by_iccid(connection, progress.iccid)
    if order is None:
        raise RspRefusedError(Status.ICCID_UNKNOWN)
    told = asdict(progress)
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    payload = {"esim_id": order.esim_id, "eid": progress.eid, "point": progress.point, "failure": progress.failure}
    enqueue(connection, kind=PEER_PROGRESS, key=f"{PEER_PROGRESS}:{digest}", payload=payload)


def _apply(connection: Connection, key: str, told: dict[str, Any]) -> JobResult:
    order = order_at_peer(connection, str(told["esim_id"]))
    if order is not None and order.is_open(CONFIRM_ORDER):
        return Unknown(
            "whether the profile was released is not known yet"
        )  # the answer to releaseProfile was lost or is still due
    point, failure = int(told["point"]), told["failure"]
    eid = None if told["eid"] is None else Eid.as_read(told["eid"])
    changes: dict[str, Any] = {} if eid is None else {"eid": eid}
    if order is None or order.profile_state not in INSTALLS_FROM:
        if order is not None and failure is None:
            _note_card(connection, order, key, changes)
        return Done()
    if failure is not None:
        _fail(connection, order, key, point, str(failure), eid)
    elif point == Point.BPP_INSTALLATION:
        move_peer_order(connection, order, *INSTALLS_FROM[order.profile_state], **changes)
        _settle(connection, order, key, None)
    elif point == Point.BPP_DOWNLOAD and order.profile_state is ProfileState.RELEASED:
        move_peer_order(connection, order, ProfileEvent.DOWNLOAD, **changes)
    elif changes:
        move_peer_order(connection, order, **changes)
    return Done()


def _note_card(connection: Connection, order: PeerOrder, key: str, changes: dict[str, Any]) -> None:
    """Store which card has the profile, if the card's own proof came before this notification."""
    if order.profile_state is ProfileState.INSTALLED and order.eid is None and changes:
        move_peer_order(connection, order, **changes)
        _settle(connection, order, key, None)
    else:
        after_commit(connection, partial(_log.info, "peer_progress_passed_over", state=str(order.profile_state)))


def _fail(connection: Connection, order: PeerOrder, key: str, point: int, failure: str, eid: Eid | None) -> None:
    """Store why a step failed.

    The failure ends the order only if the package was due, and only if it concerns the card expected for the
    order.
    """
    ended = (
        point in (Point.BPP_DOWNLOAD, Point.BPP_INSTALLATION)
        and order.profile_state in _ON_ITS_WAY
        and (eid is None or order.eid in (None, eid))
    )
    words = f"the SM-DP+ says of point {point}: {failure}"
    move_peer_order(connection, order, *((ProfileEvent.FAIL,) if ended else ()), state_reason=words)
    if ended:
        _settle(connection, order, key, words)


def _settle(connection: Connection, order: PeerOrder, key: str, failure: str | None) -> None:
    """Enqueue the result of the download of a line's profile, which has no session record."""
    enqueue(
        connection,
        kind=PROFILE_SETTLED,
        key=f"{PROFILE_SETTLED}:{key.rpartition(':')[2]}",
        payload={"esim_id": order.esim_id, "failure": failure, "record_inside": False},
    )
