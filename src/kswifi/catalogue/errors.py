"""The errors of the catalogue."""

from kswifi.kernel.errors import KswifiError


class UnknownOfferError(KswifiError):
    """The catalogue has no offer with this id or size."""

    code = "unknown_offer"


class CatalogueInvalidError(KswifiError):
    """The operator's offers file is not valid; the message names the place."""

    code = "catalogue_invalid"
