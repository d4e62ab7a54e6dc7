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
    """The operator's rules of a pass, published before it is bought.

    ``fair_use_octets`` is what one period gives at most, None without a limit; ``sessions_at_once`` how many
    sessions under a pass may be unfinished at a time (each takes a number of the network's). ``obstacle`` says why
    nothing could be downloaded under a pass now: then none is sold, and one that was paid for goes back.
    ``require_buyer`` raises for a user who may not buy (yet): one whom the operator has not identified, say.
    ``sold`` is False where nothing takes payments: passes that were bought before hold all the same.
    """

    fair_use_octets: int | None = None
    sessions_at_once: int = 20
    zone: ZoneInfo = LAGOS
    obstacle: Obstacle | None = None
    require_buyer: RequireBuyer | None = None
    sold: bool = True
