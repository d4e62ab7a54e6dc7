"""The people of simulated business, chosen by a seed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Final

DAYS: Final = 30
"""So many days of business lie behind the end of the story."""

_LOOKING_ROUND_HOURS: Final = (6, 23)
_FARM_SHARE: Final = 25
_LEAST_OF_A_FARM: Final = 6
_EMAILS_OF_TEN: Final = 3


class Fate(StrEnum):
    """How far a customer gets."""

    LOOKS = "looks"
    DOWNLOADS = "downloads"
    STORES = "stores"
    USES = "uses"
    USES_UP = "uses_up"
    BUYS = "buys"
    GIVES = "gives"
    FARMS = "farms"
    """One of many accounts that a person makes on one device."""


_SHARES: Final = {
    Fate.LOOKS: 10,
    Fate.DOWNLOADS: 10,
    Fate.STORES: 15,
    Fate.USES: 35,
    Fate.USES_UP: 12,
    Fate.BUYS: 12,
    Fate.GIVES: 6,
}


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer: ``signs_up`` after the begin of the story, on the device ``device``."""

    number: int
    identifier: str
    signs_up: timedelta
    fate: Fate
    offer_id: str
    device: str
    has_voucher: bool
    disputes: bool
    loses_phone: bool


def customers(count: int, seed: int) -> Sequence[Customer]:
    """Return so many customers, in the order of their sign-ups."""
    luck = Random(seed)  # noqa: S311 - a story that repeats, no secrets
    farm = min(count // 2, max(_LEAST_OF_A_FARM, count // _FARM_SHARE)) if count > _LEAST_OF_A_FARM else 0
    people = [_customer(luck, number) for number in range(count - farm)]
    people += [_farmer(luck, number) for number in range(count - farm, count)]
    return sorted(people, key=lambda it: it.signs_up)


def _customer(luck: Random, number: int) -> Customer:
    fate = luck.choices(list(_SHARES), list(_SHARES.values()))[0]
    hour = luck.triangular(*_LOOKING_ROUND_HOURS, 18)
    return Customer(
        number=number,
        identifier=_identifier(luck, number),
        # More people sign up on each later day, as a service grows.
        signs_up=timedelta(days=int(luck.triangular(0, DAYS, DAYS)), hours=hour),
        fate=fate,
        offer_id="unlimited" if fate is Fate.BUYS else luck.choice(("free-1gb", "free-1gb", "free-3gb")),
        device=f"device-{number}",
        has_voucher=luck.random() < 0.3,
        disputes=fate in (Fate.USES, Fate.USES_UP) and luck.random() < 0.08,
        loses_phone=fate is Fate.USES and luck.random() < 0.06,
    )


def _farmer(luck: Random, number: int) -> Customer:
    return Customer(
        number=number,
        identifier=_identifier(luck, number),
        signs_up=timedelta(days=DAYS - 2, hours=9 + luck.random() * 3),
        fate=Fate.FARMS,
        offer_id="free-1gb",
        device="farm",
        has_voucher=False,
        disputes=False,
        loses_phone=False,
    )


def _identifier(luck: Random, number: int) -> str:
    if luck.randrange(10) < _EMAILS_OF_TEN:
        return f"customer{number}@example.ng"
    return f"+23480{luck.randrange(10**4):04}{number % 10**4:04}"
