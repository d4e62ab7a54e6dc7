"""The outbox's worker, the hourly chores and the frequent watches of all parts."""

from kswifi.api.edge.idempotency import prune_requests
from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Loop, Part
from kswifi.jobs.housekeeping import Housekeeper, outbox_chores
from kswifi.jobs.worker import Worker

_WATCH_SECONDS = 20.0


async def open_background(context: Context) -> Part:
    """Open what works the jobs, chores and watches of the parts that are open by now."""
    database = context.database
    worker = Worker(database, context.merged(lambda part: part.jobs.items()))
    housekeeper = Housekeeper(
        {
            **outbox_chores(database),
            "idempotent_requests": lambda: prune_requests(database),
            **context.merged(lambda part: part.chores.items()),
        }
    )
    watches = Housekeeper(context.merged(lambda part: part.watches.items()), every_seconds=_WATCH_SECONDS)
    return Part(
        loops=(
            Loop("worker", worker.run, worker.stop),
            Loop("housekeeper", housekeeper.run, housekeeper.stop),
            Loop("watches", watches.run, watches.stop),
        )
    )
