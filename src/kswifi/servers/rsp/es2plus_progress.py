"""ES2+.HandleDownloadProgressInfo on the operator's side (SGP.22 v2, 5.3.5), for orders at an external SM-DP+."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kswifi.esim.external_smdp.progress import PeerProgress, Progress
from kswifi.esim.operators.download_progress import Point
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.servers.rsp.es2plus import PATH, Calls, Es2Request, counted, read_eid, read_iccid, short_text
from kswifi.servers.rsp.json_binding import HEADERS, Message, function, read
from kswifi.servers.rsp.tls_peer import client_certificate

_NAME: Final = "handleDownloadProgressInfo"


class FailureCodes(Message, frozen=True):
    """Why a notification point failed. Real servers leave some of these fields out."""

    subject_code: str = ""
    reason_code: str = ""
    message: str = ""


class PointStatus(Message, frozen=True):
    """The result of a notification point."""

    status: str
    status_code_data: FailureCodes | None = None


class ProgressRequest(Es2Request, frozen=True, kw_only=True):
    """The progress of a download. The instant and the profile type in the request are ignored."""

    iccid: str
    notification_point_id: int
    notification_point_status: PointStatus
    eid: str | None = None


class Es2PlusProgress:
    """The function as a Starlette endpoint."""

    def __init__(self, progress: PeerProgress, calls: Calls) -> None:
        self._progress = progress
        self._calls = calls

    def routes(self) -> list[Route]:
        """Return the function's route."""
        return [Route(PATH + _NAME, function(_NAME, counted(self._calls, _NAME, self.take)), methods=["POST"])]

    async def take(self, request: Request) -> Response:
        """Store one progress report, then acknowledge it."""
        told = await read(request, ProgressRequest)
        if told.notification_point_id not in tuple(Point):
            raise RspRefusedError(Status.MALFORMED, "there is no such notification point")
        eid = read_eid(told.eid)
        progress = Progress(
            identifier=short_text(told.header.function_call_identifier) or "",
            iccid=read_iccid(told.iccid),
            eid=None if eid is None else str(eid),
            point=told.notification_point_id,
            failure=_failure(told.notification_point_status),
        )
        await self._progress.take(client_certificate(request), progress)
        return Response(status_code=204, headers=HEADERS)


def _failure(status: PointStatus) -> str | None:
    if status.status in ("Executed-Success", "Executed-WithWarning"):
        return None
    data = status.status_code_data
    if data is None:
        return "failed"
    words = f"{data.message or 'no words'} ({data.subject_code}/{data.reason_code})"
    return "".join(each if each.isprintable() else "?" for each in words[:150])
