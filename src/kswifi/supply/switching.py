"""The cut-off: bring a line's data service to what is wanted, and ask until the provider confirms it."""

from functools import partial

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.supply import store
from kswifi.supply.context import Supply
from kswifi.supply.ports import Refused, ServiceStatus, Unknown
from kswifi.supply.records import ProviderLine

_log = structlog.get_logger(__name__)


def want_service(connection: Connection, line_id: str, *, on: bool, used_up: bool) -> bool:
    """Store whether a line shall carry data; return False if no provider serves the line.

    Idempotent. The worker makes the calls, until the provider confirms.

    Args:
        connection: of the caller's transaction.
        line_id: the line.
        on: whether data shall flow.
        used_up: it shall be off only because its bundle is used up.
    """
    service = store.service_of(connection, line_id)
    if service is None:
        return False
    now = transaction_instant(connection)
    changed = service.wanted(on=on, used_up=used_up, at=now)
    if changed != service:
        store.put_service(connection, line_id, changed, now)
        store.wake_worker(connection)
    return True


def is_supplied(connection: Connection, line_id: str) -> bool:
    """Tell whether a data provider serves a line."""
    return store.service_of(connection, line_id) is not None


class Switching:
    """Works on the service of lines."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply

    async def work(self, line_id: str) -> None:
        """Ask the provider for the line's service; switch it if it differs from what is wanted, and look again."""
        database = self._supply.database
        line = await database.write(partial(self._begin, line_id=line_id))
        if line is None or line.ref is None:
            return
        ref = line.ref
        provider = self._supply.providers[line.provider]
        if line.service.needs_switch(provider.capabilities):
            switched = await provider.set_service(ref, line.service.wants_on)
            if isinstance(switched, Refused | Unknown):
                _log.warning("service_not_switched", line_id=line_id, words=switched.words)
        observed = await provider.service(ref)
        await database.write(
            partial(self._settle, line_id=line_id, wanted=line.service.wants_on, observed=observed)
        )

    def _begin(self, connection: Connection, line_id: str) -> ProviderLine | None:
        """Return the line, and put its next try off first: whatever fails in this one, it comes later."""
        line = store.line_of(connection, line_id, self._supply.vault)
        if line is None or line.next_try_at is None:
            return None
        now = transaction_instant(connection)
        # Before the first delivery nothing can flow, so nothing has to be switched.
        next_try = None if line.ref is None else line.service.after_nothing().next_try(now)
        store.change_line(connection, line_id, next_try_at=next_try)
        return line

    def _settle(
        self, connection: Connection, line_id: str, wanted: bool, observed: ServiceStatus | Refused | Unknown
    ) -> None:
        service = store.service_of(connection, line_id)
        if service is None or service.wants_on is not wanted:
            return  # the wish changed during the call: its own entry is due
        now = transaction_instant(connection)
        after = service.after_look(observed) if isinstance(observed, ServiceStatus) else service.after_nothing()
        store.put_service(connection, line_id, after, after.next_try(now))
        if after.observed is ServiceStatus.POLICY_OFF:
            _log.error("line_suspended_by_provider", line_id=line_id, wants_on=after.wants_on)
