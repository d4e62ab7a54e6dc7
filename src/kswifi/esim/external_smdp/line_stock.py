"""Stock of lines made in advance for an external SM-DP+, from which users' orders are filled.

The operator hands the profiles of a batch to the external SM-DP+; then the batch is set ready. Each profile
has an empty EF.SESSIONS, because ES2+ has no field for a session record: secured packets write the first
record later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import LineStockError
from kswifi.esim.lines.vault import SubscriberVault, new_subscriber_keys
from kswifi.esim.model import NumberRange
from kswifi.esim.smdp.packages import line_profile
from kswifi.esim.sql import esim_serial, stock_line
from kswifi.kernel.ids import uuid7
from kswifi.kernel.numbers import Iccid, Imsi
from kswifi.rsp.access_rules import CarrierApp
from kswifi.rsp.saip.build import build_profile

MOST_LINES: Final = 10_000
_t = stock_line.c


@dataclass(frozen=True, slots=True)
class StockedLine:
    """A line of the stock: its numbers and its sealed keys."""

    iccid: Iccid
    imsi: Imsi
    sealed_keys: bytes


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """The remaining lines of one batch, which nobody has ordered yet."""

    batch: str
    lines: int
    ready: bool


def make_lines(connection: Connection, vault: SubscriberVault, numbers: NumberRange, count: int) -> str:
    """Make ``count`` lines with new numbers and keys; return the batch's id.

    No line of the batch can be ordered before ``set_ready``.

    Raises:
        LineStockError: ``count`` is too high, or not positive.
        NumbersUsedUpError: the range has no number left.
    """
    if not 1 <= count <= MOST_LINES:
        raise LineStockError(f"1 to {MOST_LINES} lines at once")
    now = transaction_instant(connection)
    batch = str(uuid7(now))
    for _ in range(count):
        taken = connection.execute(insert(esim_serial)).inserted_primary_key
        assert taken is not None  # noqa: S101 - a single-row insert has one
        imsi = numbers.imsi(int(taken[0]))
        connection.execute(
            insert(stock_line).values(
                iccid=str(numbers.iccid(int(taken[0]))),
                imsi=str(imsi),
                batch=batch,
                ready=False,
                sealed_keys=vault.seal(imsi, new_subscriber_keys()),
                created_at=now,
            )
        )
    return batch


def packages_of_batch(
    connection: Connection,
    vault: SubscriberVault,
    batch: str,
    *,
    mnc_digits: int,
    carrier_apps: tuple[CarrierApp, ...] = (),
) -> Iterator[tuple[Iccid, bytes]]:
    """Yield the ICCID and the unprotected profile package of each line of a batch. Packages contain K and OPc.

    Raises:
        SubscriberKeysDamagedError: a line's keys cannot be opened.
    """
    wanted = select(_t.iccid, _t.imsi, _t.sealed_keys).where(_t.batch == batch).order_by(_t.iccid)
    for row in connection.execute(wanted).all():
        iccid = Iccid(row.iccid)
        parameters = line_profile(
            vault=vault,
            iccid=iccid,
            imsi=Imsi(row.imsi),
            sealed_keys=row.sealed_keys,
            session_record=b"",
            mnc_digits=mnc_digits,
            carrier_apps=carrier_apps,
        )
        yield iccid, build_profile(parameters)


def set_ready(connection: Connection, batch: str) -> int:
    """Make the lines of a batch available to orders; return how many.

    Call it once the external SM-DP+ has the batch's profiles.

    Raises:
        LineStockError: the batch does not exist, or all its lines were ordered.
    """
    ready = connection.execute(update(stock_line).where(_t.batch == batch).values(ready=True)).rowcount
    if not ready:
        raise LineStockError("there is no such batch, or all its lines are ordered", batch=batch[:64])
    return ready


def take_line(connection: Connection) -> StockedLine | None:
    """Remove the first ready line from the stock and return it; None if no line is ready."""
    first = select(_t.iccid).where(_t.ready).order_by(_t.iccid).limit(1).scalar_subquery()
    row = connection.execute(
        delete(stock_line).where(_t.iccid == first).returning(_t.iccid, _t.imsi, _t.sealed_keys)
    ).one_or_none()
    return None if row is None else StockedLine(Iccid(row.iccid), Imsi(row.imsi), row.sealed_keys)


def lines_ready(connection: Connection) -> int:
    """Return how many lines are ready to be ordered."""
    return int(connection.execute(select(func.count()).select_from(stock_line).where(_t.ready)).scalar_one())


def list_batches(connection: Connection) -> list[BatchSummary]:
    """Return the batches that still have lines in stock, the oldest first."""
    rows = connection.execute(
        select(_t.batch, func.count(), _t.ready).group_by(_t.batch, _t.ready).order_by(_t.batch)
    )
    return [BatchSummary(row[0], row[1], row[2]) for row in rows]
