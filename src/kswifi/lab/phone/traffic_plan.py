"""The plan of the phone's traffic, and its result."""

from dataclasses import dataclass
from typing import Final, Self

from kswifi.kernel.errors import KswifiError
from kswifi.lab.stream import stream_sha256

_SMALL_ALLOWANCE_OCTETS: Final = 256_000_000


class TrafficError(KswifiError):
    """Traffic failed: a refusal, a reset, silence, or octets that differ from those sent.

    If ``run_traffic`` raises it, the facts hold the counts until then: ``delivered_octets``,
    ``unconfirmed_octets``.
    """

    code = "traffic_failed"


@dataclass(frozen=True, slots=True)
class Received:
    """The octets that one GET has received of a seeded stream: their number and their hash."""

    seed: str
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TrafficResult:
    """The octets that this process sent and received on its sockets after the proxy's handshake.

    Attributes:
        delivered_octets: sent and received together.
        body_octets: the part of them that was content.
        seconds: the duration.
        cut_off: whether the network ended the flows.
        received: the content of each GET.
        unconfirmed_octets: sent on flows that ended without an answer; they may not have arrived.
    """

    delivered_octets: int
    body_octets: int
    seconds: float
    cut_off: bool
    received: tuple[Received, ...]
    unconfirmed_octets: int = 0

    @property
    def throughput_mbit_s(self) -> float:
        """Delivered megabits per second."""
        return self.delivered_octets * 8 / 1e6 / self.seconds if self.seconds else 0.0

    def check(self) -> None:
        """Compare every hash with that of the seeded stream.

        Raises:
            TrafficError: received octets differ from those sent.
        """
        for part in self.received:
            if stream_sha256(part.seed, part.octets) != part.sha256:
                raise TrafficError(f"stream {part.seed!r} did not arrive as it was sent", octets=part.octets)


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """Which octets to move.

    Attributes:
        seed: of all streams.
        flows: connections at the same time.
        post_flows: how many of them begin with a POST.
        post_octets: the body of each POST.
        get_octets: of each GET; None until the network cuts the line.
        posts_first: start the GETs when all POSTs have ended, and none after a POST. Needed for small allowances,
            which GETs could use up before the POSTs have ended.
    """

    seed: str
    flows: int = 16
    post_flows: int = 4
    post_octets: int = 1_000_000
    get_octets: int | None = None
    posts_first: bool = False

    @classmethod
    def until_cut(cls, seed: str, allowance_octets: int) -> Self:
        """Plan to use up an allowance. Each POST is a hundredth of it, at most 4 MB."""
        return cls(
            seed,
            post_octets=max(1, min(4_000_000, allowance_octets // 100)),
            posts_first=allowance_octets < _SMALL_ALLOWANCE_OCTETS,
        )
