"""The desk: the jobs that carry out what support has decided, and the figures of each day."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Loop, Part
from kswifi.catalogue.service import Catalogue
from kswifi.desk.callers import CallerChecks
from kswifi.desk.figures.projector import FigureProjector
from kswifi.desk.fraud.watch import FraudWatch
from kswifi.desk.goodwill import GoodwillHandlers
from kswifi.free_data.pseudonyms import Marks
from kswifi.sessions.orders import SessionDownloadService


async def open_desk(context: Context) -> Part:
    """Open the desk's jobs, its figures, the fraud rules and the checks of callers."""
    context.offer(CallerChecks(context.need(Marks).digest))
    handlers = GoodwillHandlers(context.database, context.need(Catalogue), context.need(SessionDownloadService))
    figures = FigureProjector(context.database, context.settings.zone)
    fraud = FraudWatch(context.database, context.settings.fraud_rules)
    return Part(
        jobs=handlers.handlers(),
        loops=(Loop("figures", figures.run, figures.stop),),
        watches={"fraud": fraud.look},
    )
