"""The outbox entries by which the lines of eSIMs tell other capabilities."""

from typing import Final

PROFILE_SETTLED: Final = "esim.profile_settled"
"""Work in the outbox: a card has signed that a line's profile is installed, or why not (``failure``)."""
