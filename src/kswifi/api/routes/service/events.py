"""Server-Sent Events of a user's account; no event is missed across a reconnect."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from kswifi.accounts.errors import LoginExpiredError, NotSignedInError
from kswifi.api.edge.dependencies import LoginToken, ServicesDep, SignedInUser
from kswifi.api.edge.errors import LAST_EVENT_ID_INVALID
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.streams import EventStream

router = APIRouter(prefix="/api/v1", tags=["events"])

RETRY_MILLISECONDS: Final = 2000
LOOK_EVERY_SECONDS: Final = 15.0
"""How often a quiet stream checks that its LoginSession is valid, and polls for events of other processes."""


async def open_stream(user: SignedInUser, services: ServicesDep) -> AsyncIterator[EventStream]:
    """Open a stream of the user for the duration of the response; on the event loop, which owns the streams."""
    with services.streams.open(user.user.user_id) as stream:
        yield stream


async def parse_last_event_id(last_event_id: Annotated[str | None, Header()] = None) -> int | None:
    """Return the sequence of the last event that the client has.

    Raises:
        LAST_EVENT_ID_INVALID: it is none of ours.
    """
    if last_event_id is None or last_event_id == "":
        return None
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18):
        raise LAST_EVENT_ID_INVALID("Last-Event-ID is the id of an event of this stream")
    return int(last_event_id)


@router.get(
    "/events",
    summary="Follow what happens",
    response_class=EventSourceResponse,
    responses=problem_responses("not_signed_in", "too_many_streams", "last_event_id_invalid"),
)
async def follow_events(
    token: LoginToken,
    services: ServicesDep,
    stream: Annotated[EventStream, Depends(open_stream)],
    last_event_id: Annotated[int | None, Depends(parse_last_event_id)],
) -> AsyncIterator[ServerSentEvent]:
    """Stream your events: `event` is the kind, `data` a JSON object with the instant `at`, `id` the sequence.

    Send the last id you have as `Last-Event-ID` (browsers do so automatically) and no event is missed. If missed
    events are no longer stored, the first event is `reset`: load everything again. Without an id the stream starts
    with new events. It ends when your LoginSession ends.
    """
    sequence, missed = await stream.start_after(last_event_id)
    kind = "reset" if missed else "hello"
    yield ServerSentEvent(event=kind, id=str(sequence), raw_data="{}", retry=RETRY_MILLISECONDS)
    async for batch in stream.batches(sequence, LOOK_EVERY_SECONDS):
        for event in batch:
            facts = {**event.payload, "at": event.at.isoformat(timespec="milliseconds")}
            data = json.dumps(facts, separators=(",", ":"))
            yield ServerSentEvent(event=event.kind, id=str(event.sequence), raw_data=data)
        try:
            await services.accounts.who(token)
        except (NotSignedInError, LoginExpiredError):
            return
