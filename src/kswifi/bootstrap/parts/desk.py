"""The desk: the jobs that carry out what support has decided."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.catalogue.service import Catalogue
from kswifi.desk.goodwill import GoodwillHandlers
from kswifi.sessions.orders import SessionDownloadService


async def open_desk(context: Context) -> Part:
    """Open the desk's jobs."""
    handlers = GoodwillHandlers(context.database, context.need(Catalogue), context.need(SessionDownloadService))
    return Part(jobs=handlers.handlers())
