"""The catalogue: the offers of the operator's file, or the built-in ones."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.catalogue.service import Catalogue


async def open_catalogue(context: Context) -> Part:
    """Load the catalogue.

    Raises:
        CATALOGUE_INVALID: the operator's file cannot be read.
    """
    context.offer(Catalogue.load(context.settings.offers_file))
    return Part()
