"""A worker in a process of its own, for the test that kills it: python worker_child.py URL."""

import asyncio
import sys

from sqlalchemy import text

from kswifi.database.engine import Database
from kswifi.jobs.worker import Worker, WorkerLimits
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done


async def main(url: str) -> None:
    database = Database(url)

    async def grant(entry: Entry) -> Done:
        await database.write(
            lambda connection: connection.execute(
                text("INSERT INTO effect (id, by) VALUES (:id, 'child') ON CONFLICT DO NOTHING"),
                {"id": entry.payload["id"]},
            )
        )
        print("effect done, not yet noted", flush=True)
        await asyncio.Event().wait()
        return Done()

    limits = WorkerLimits(handler_seconds=1.0, lease_margin_seconds=0.5)
    await Worker(database, {"grant": grant}, limits).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
