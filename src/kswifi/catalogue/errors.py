"""What the catalogue refuses."""

from kswifi.kernel.errors import KswifiError


class UnknownOfferError(KswifiError):
    """No offer of this id or size is in the catalogue."""

    code = "unknown_offer"


class CatalogueInvalidError(KswifiError):
    """The operator's offers file cannot be used; its message names the place."""

    code = "catalogue_invalid"
