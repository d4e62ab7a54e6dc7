"""The errors of venues."""

from kswifi.kernel.errors import Refusal

VENUE_INVALID = Refusal("venue_invalid", "A venue cannot be what was asked, or there are too many.")
UNKNOWN_VENUE = Refusal("unknown_venue", "There is no venue of this number.")
