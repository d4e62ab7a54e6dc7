"""ES2+.HandleDownloadProgressInfo to operators' callbacks (SGP.22 v2, 5.3.5), from the outbox."""

from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from kswifi.database.engine import Database
from kswifi.esim.operators.operators import operator_by_id
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, JobResult, Refused, Unknown
from kswifi.providers.smdp.es2plus_call import Es2PlusPeer, Es2PlusSettingsError, FunctionRefused

ContextOf = Callable[[str | None], SSLContext]
"""Returns the client context for an operator's own authorities (PEM), or for the system's."""


class OperatorCallbacks:
    """Calls operators' callbacks; ``requester`` is the SM-DP+'s object identifier.

    A call with an unknown result is repeated with the same identifier, as often as the worker allows; then its
    entry is stuck, and logged. An operator may receive a notification twice and out of order: each contains its
    instant.
    """

    def __init__(self, database: Database, context_of: ContextOf, requester: str) -> None:
        self._database = database
        self._context_of = context_of
        self._requester = requester

    async def tell(self, entry: Entry) -> JobResult:
        """Deliver one progress notification."""
        payload = entry.payload
        party = await self._database.read(
            lambda connection: operator_by_id(connection, str(payload["operator_id"]))
        )
        if party is None or party.callback_url is None:
            return Done()  # the operator has no callback
        try:
            peer = Es2PlusPeer(party.callback_url, self._context_of(party.callback_ca), self._requester)
        except Es2PlusSettingsError as error:
            return Unknown(error.message)
        try:
            result = await peer.call("handleDownloadProgressInfo", entry.key, _body(payload))
        finally:
            await peer.close()
        if isinstance(result, FunctionRefused):
            return Refused(result.reason)
        return result if isinstance(result, Unknown) else Done()


def _body(payload: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"status": "Executed-Success"}
    failure = payload["failure"]
    if failure is not None:
        codes = {"subjectCode": failure["subject"], "reasonCode": failure["reason"], "message": failure["message"]}
        status = {"status": "Failed", "statusCodeData": codes}
    return {
        "eid": payload["eid"],
        "iccid": str(payload["iccid"]).ljust(20, "F"),
        "profileType": payload["profile_type"],
        "timestamp": payload["timestamp"],
        "notificationPointId": payload["point"],
        "notificationPointStatus": status,
    }
