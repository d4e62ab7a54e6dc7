"""What a flow takes its octets from before it writes them."""

from collections.abc import Callable
from typing import Protocol


class Allowance(Protocol):
    """What flows draw on: a bearer's grant, or the slow lane to the KSWiFi origin."""

    def available(self) -> int:
        """Return how many octets may be taken now."""
        ...

    def take(self, octets: int, *, uplink: bool) -> None:
        """Count octets just before they are written."""
        ...

    def give_back(self, octets: int, *, uplink: bool) -> None:
        """Take back what a write left over."""
        ...

    def wait(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once there may be something to take again."""
        ...

    def stop_waiting(self, resume: Callable[[], None]) -> None:
        """Forget a ``resume`` whose flow has ended."""
        ...
