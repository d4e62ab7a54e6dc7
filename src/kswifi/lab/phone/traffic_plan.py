"""What the phone's traffic is to be, and what came of it."""

from dataclasses import dataclass
from typing import Final, Self

from kswifi.kernel.errors import KswifiError
from kswifi.lab.stream import stream_sha256

_SMALL_ALLOWANCE_OCTETS: Final = 256_000_000


class TrafficError(KswifiError):
    """Traffic did not go as it must: a refusal, a reset, silence, or octets that are not the stream's.

    Out of ``run_traffic`` it carries what was counted until then: ``delivered_octets`` and ``unconfirmed_octets``.
    """

    code = "traffic_failed"


@dataclass(frozen=True, slots=True)
class Received:
    """What one GET received of a seed's stream."""

    seed: str
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TrafficResult:
    """What this process sent and received on its sockets behind the proxy's handshake.

    ``body_octets`` is the part of it that was content; ``cut_off`` tells that the network ended the flows.
    ``unconfirmed_octets`` were sent on flows that ended without an answer: whether they arrived, nobody said.
    """

    delivered_octets: int
    body_octets: int
    seconds: float
    cut_off: bool
    received: tuple[Received, ...]
    unconfirmed_octets: int = 0

    @property
    def throughput_mbit_s(self) -> float:
        """Delivered megabits a second."""
        return self.delivered_octets * 8 / 1e6 / self.seconds if self.seconds else 0.0

    def check(self) -> None:
        """Compare every hash with that of the seeded stream.

        Raises:
            TrafficError: an octet is another than the one that was sent.
        """
        for part in self.received:
            if stream_sha256(part.seed, part.octets) != part.sha256:
                raise TrafficError(f"stream {part.seed!r} did not arrive as it was sent", octets=part.octets)


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """What to move: ``get_octets`` of each stream (None: until the network cuts), ``post_octets`` of each POST.

    With ``posts_first`` the GETs begin when the POSTs have ended, and nothing follows the POSTs: for allowances so
    small that the network's buffers alone could use them up meanwhile.
    """

    seed: str
    flows: int = 16
    post_flows: int = 4
    post_octets: int = 1_000_000
    get_octets: int | None = None
    posts_first: bool = False

    @classmethod
    def until_cut(cls, seed: str, allowance_octets: int) -> Self:
        """Plan to use up an allowance, each POST a hundredth of it and 4 MB at most."""
        return cls(
            seed,
            post_octets=max(1, min(4_000_000, allowance_octets // 100)),
            posts_first=allowance_octets < _SMALL_ALLOWANCE_OCTETS,
        )
