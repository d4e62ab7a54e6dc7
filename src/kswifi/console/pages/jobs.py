"""Jobs: those that are stuck, and another try."""

from typing import Final

from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.roles import Permission
from kswifi.desk.stuck_jobs import jobs, retry


async def _jobs(visit: Visit) -> Response:
    return visit.page("jobs.html", jobs=await visit.read(jobs))


async def _retry(visit: Visit) -> Response:
    key, reason = visit.field("key"), visit.field("reason")
    await visit.write(lambda connection: retry(connection, visit.member.operator, key, reason))
    return visit.to("/jobs", "The job waits for its next try")


PAGES: Final = (Page("GET", "/jobs", _jobs), Page("POST", "/jobs/retry", _retry, Permission.RUN_JOBS))
