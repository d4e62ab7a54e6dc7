"""The errors of the catalogue."""

from kswifi.kernel.errors import Refusal

UNKNOWN_OFFER = Refusal("unknown_offer", "No offer of this id or size is in the catalogue.", status=404)
CATALOGUE_INVALID = Refusal(
    "catalogue_invalid", "The operator's offers file cannot be used; its message names the place."
)
