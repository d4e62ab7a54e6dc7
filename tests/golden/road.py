"""What one order leaves in the database, from the REST order to the first octet: jobs and events, without ids."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.support.session_api import served

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}")


async def order_until_stored(folder: Path) -> dict[str, Any]:
    """Order a free session, bring it onto a card, use some of it; return statuses, jobs and events."""
    async with served(folder) as here:
        statuses = []
        ordered = await here.post("/api/v1/sessions", {"offer_id": "free-1gb"}, "key-of-the-order")
        statuses.append(ordered.status_code)
        again = await here.post("/api/v1/sessions", {"offer_id": "free-1gb"}, "key-of-the-order")
        assert again.content == ordered.content
        path = f"/api/v1/sessions/{ordered.json()['session_id']}"
        await here.road.settle()
        package = await here.get(f"{path}/package")
        digest = package.headers["etag"].strip('"')
        for operation, body in (("downloaded", {"sha256": digest}), ("transfer", {})):
            statuses.append((await here.post(f"{path}/{operation}", body)).status_code)
            await here.road.settle()
        session = await here.road.downloads.session(here.page.user_id, ordered.json()["session_id"])
        download = await here.road.download(session)
        await here.road.results.handle_notification(download.result())
        await here.road.settle()
        stored = (await here.get(path)).json()
        await here.road.use(session, 1_000, 1)
        await here.road.settle()
        active = (await here.get(path)).json()
    with closing(sqlite3.connect(folder / "control.db")) as database:
        jobs = database.execute(
            "SELECT kind, key, payload, attempts, state FROM outbox_entry ORDER BY id"
        ).fetchall()
        events = database.execute("SELECT kind, payload FROM domain_event ORDER BY sequence").fetchall()
    return {
        "statuses": statuses,
        "states": [stored["state"], active["state"]],
        "fields": sorted(active),
        "jobs": sorted(
            [kind, _ID.sub("ID", key), sorted(json.loads(payload)), attempts, state]
            for kind, key, payload, attempts, state in jobs
        ),
        "events": [[kind, _facts(json.loads(payload))] for kind, payload in events],
    }


def _facts(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an event's facts with ids and instants masked."""
    return {
        name: _ID.sub("ID", value) if isinstance(value, str) and not name.endswith(("_at", "_until")) else value
        for name, value in sorted(payload.items())
        if not name.endswith(("_at", "_until"))
    }
