"""Bar charts as SVG attributes, without script and inline styles, which the Content-Security-Policy forbids."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from kswifi.desk.figures.model import days_between

WIDTH: Final = 300
HEIGHT: Final = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the units of the picture's view box."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of a run of days; ``sentence`` says for a screen reader what the picture shows."""

    bars: tuple[Bar, ...]
    largest: int
    total: int
    sentence: str


def bars(values: Mapping[str, int], first: date, last: date) -> Chart:
    """Return one bar for each day from ``first`` to ``last``."""
    days = days_between(first, last)
    largest = max((*values.values(), 1))
    step = WIDTH / len(days)
    made = []
    for place, day in enumerate(days):
        value = max(0, values.get(day.isoformat(), 0))
        height = round(HEIGHT * value / largest, 1)
        made.append(Bar(round(place * step, 1), HEIGHT - height, round(step * 0.8, 1), height, f"{day}: {value:,}"))
    total = sum(values.values())
    return Chart(tuple(made), largest, total, f"{len(days)} days, at most {largest:,} a day, {total:,} in all")
