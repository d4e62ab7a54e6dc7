"""The operator's rules of a pass."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kswifi.catalogue.model import LAGOS

Obstacle = Callable[[Connection], str | None]
RequireBuyer = Callable[[Connection, str], None]


@dataclass(frozen=True, slots=True)
class PassRules:
    """The operator's rules of a pass, published before it is sold.

    ``fair_use_octets`` is the limit of one period, None without a limit. ``sessions_at_once`` is the maximum number
    of unfinished InternetSessions under a pass (each uses a number of the network). ``obstacle`` returns why
    nothing could be downloaded under a pass now: then no pass is sold, and a paid one is refunded.
    ``require_buyer`` raises for a user who may not buy, for example because the operator has not identified them.
    ``sold`` is False where no gateway takes payments; passes that were bought before stay valid.
    """

    fair_use_octets: int | None = None
    sessions_at_once: int = 20
    zone: ZoneInfo = LAGOS
    obstacle: Obstacle | None = None
    require_buyer: RequireBuyer | None = None
    sold: bool = True
