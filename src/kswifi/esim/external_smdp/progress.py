"""What another's SM-DP+ tells us of our orders: ES2+.HandleDownloadProgressInfo (SGP.22 v2, 5.3.5).

It may come twice, late and out of order. Each is kept once in the outbox before it is acknowledged, and moves an
order only where that makes sense from where the order is; nothing takes an installed profile back.
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
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import Point
from kswifi.esim.ports import PROFILE_SETTLED
from kswifi.kernel.numbers import Eid
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, JobResult, Unknown
from kswifi.outbox.service import enqueue
from kswifi.rsp.status_codes import RspRefusedError, Status

PEER_PROGRESS: Final = "esim.peer_progress"
"""Work in the outbox: take in what was told of an order."""

_ON_ITS_WAY: Final = (ProfileState.RELEASED, ProfileState.DOWNLOADED)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """One progress info; ``failure`` says why a point was not passed, None where it was."""

    identifier: str
    iccid: str
    eid: str | None
    point: int
    failure: str | None


class PeerProgress:
    """Takes progress infos from whoever proves by one of these TLS certificates (DER) to be our SM-DP+."""

    def __init__(self, database: Database, certificates: Iterable[bytes]) -> None:
        self._database = database
        self.certificates: Final = tuple(certificates)

    async def take(self, certificate: bytes | None, progress: Progress) -> None:
        """Keep one for the worker; the same again is kept once.

        Raises:
            RspRefusedError: somebody else tells it, or it is about no line of ours there.
        """
        if certificate not in self.certificates:
            raise RspRefusedError(Status.REQUESTER_UNKNOWN)
        await self._database.write(lambda connection: _keep(connection, progress))

    async def work(self, entry: Entry) -> JobResult:
        """Move the order to where its SM-DP+ says it is."""
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
        return Unknown("whether the profile was released is not known yet")  # its answer was lost, or is on its way
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
    """Note which card has the profile, where its own proof came before we were told."""
    if order.profile_state is ProfileState.INSTALLED and order.eid is None and changes:
        move_peer_order(connection, order, **changes)
        _settle(connection, order, key, None)
    else:
        after_commit(connection, partial(_log.info, "peer_progress_passed_over", state=str(order.profile_state)))


def _fail(connection: Connection, order: PeerOrder, key: str, point: int, failure: str, eid: Eid | None) -> None:
    """Note why. It ends the order once the package was due, and for the card alone that is known to come for it."""
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
    """Have whoever waits for the line's profile hear of it: it carries no record."""
    enqueue(
        connection,
        kind=PROFILE_SETTLED,
        key=f"{PROFILE_SETTLED}:{key.rpartition(':')[2]}",
        payload={"esim_id": order.esim_id, "failure": failure, "record_inside": False},
    )
