"""The interface through which a flow takes octets from a grant before it writes them."""

from collections.abc import Callable
from typing import Protocol


class Allowance(Protocol):
    """A source of octets for flows: the grant of a bearer, or the slow lane to KSWiFi itself.

    A flow takes octets before it writes them and gives back those of a short write. So at any time the octets
    written are at most the octets taken, and a crash can count too much but never too little.
    """

    def available(self) -> int:
        """Return how many octets may be taken now."""
        ...

    def take(self, octets: int, *, uplink: bool) -> None:
        """Count octets just before they are written."""
        ...

    def give_back(self, octets: int, *, uplink: bool) -> None:
        """Return octets that were taken but not written."""
        ...

    def wait(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once, when octets may be available again."""
        ...

    def stop_waiting(self, resume: Callable[[], None]) -> None:
        """Cancel a ``wait`` whose flow has ended."""
        ...
