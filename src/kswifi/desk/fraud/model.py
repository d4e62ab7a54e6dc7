"""Clusters and velocity rules over sightings of accounts. Pure: the caller reads the sightings and passes the time.

An address never joins accounts and never holds one: a mobile network's NAT and a venue's WiFi put thousands of
people behind one address. It is shown to the person who reviews, and nothing more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final


class Link(StrEnum):
    """What accounts can have in common."""

    DEVICE = "device"
    CARD = "card"
    PAYMENT = "payment"
    """The instrument that paid, as the gateway identifies it."""
    SERIES = "series"
    """A block of 100 phone numbers; seen where an account of the block orders free data."""
    NETWORK = "network"


LEAST_TO_JOIN: Final[Mapping[Link, int]] = {Link.DEVICE: 3, Link.CARD: 3, Link.PAYMENT: 3, Link.SERIES: 10}
"""How many accounts share a mark before they are a cluster. A family of two is none."""

SERIES_DIGITS: Final = 2
"""The digits at the end of a phone number that are left out of its series."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An account was seen with a mark. ``mark`` is a keyed digest, a gateway's identifier, or a number series."""

    user_id: str
    link: Link
    mark: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VelocityRule:
    """So many accounts with one mark within a time are held for review."""

    link: Link
    accounts: int
    within: timedelta

    def __post_init__(self) -> None:
        if self.link is Link.NETWORK:
            raise ValueError("an address alone holds nobody")
        if self.accounts < LEAST_TO_JOIN[self.link]:
            raise ValueError(f"a rule for {self.link} needs {LEAST_TO_JOIN[self.link]} accounts or more")


@dataclass(frozen=True, slots=True)
class Finding:
    """A velocity rule that was met: the accounts, and when the first and the last of them were seen."""

    rule: VelocityRule
    mark: str
    user_ids: tuple[str, ...]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Shared:
    """A mark that accounts of a cluster share."""

    link: Link
    mark: str
    accounts: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Accounts that are connected by shared marks. ``key`` is the id of the oldest one, and stays as it grows."""

    user_ids: tuple[str, ...]
    shared: tuple[Shared, ...]
    first_at: datetime
    last_at: datetime

    @property
    def key(self) -> str:
        """The id of the oldest account: ids are ordered by time (RFC 9562, UUIDv7)."""
        return self.user_ids[0]


def series_of(phone_number: str) -> str:
    """Return the series of a phone number."""
    return phone_number[:-SERIES_DIGITS]


def clusters_of(sightings: Iterable[Sighting]) -> list[Cluster]:
    """Return the clusters, the largest first. Sightings of networks are left out."""
    groups = {
        mark: found
        for mark, found in _by_mark(sightings).items()
        if mark[0] in LEAST_TO_JOIN and len({it.user_id for it in found}) >= LEAST_TO_JOIN[mark[0]]
    }
    parents: dict[str, str] = {}

    def root(user_id: str) -> str:
        while (above := parents.setdefault(user_id, user_id)) != user_id:
            parents[user_id] = parents[above]  # halves the path: each step later is shorter
            user_id = above
        return user_id

    for found in groups.values():
        for one, other in pairwise(it.user_id for it in found):
            parents[root(other)] = root(one)
    joined: defaultdict[str, list[tuple[Link, str]]] = defaultdict(list)
    for mark, found in groups.items():
        joined[root(found[0].user_id)].append(mark)
    clusters = [_cluster({mark: groups[mark] for mark in marks}) for marks in joined.values()]
    return sorted(clusters, key=lambda it: (-len(it.user_ids), it.key))


def too_fast(sightings: Iterable[Sighting], rules: Sequence[VelocityRule]) -> list[Finding]:
    """Return where a rule is met: for each rule and mark the accounts of all spans of time that meet it."""
    groups = _by_mark(sightings)
    findings = []
    for rule in rules:
        for (link, mark), found in groups.items():
            if link is rule.link and (caught := _caught(found, rule)):
                accounts = tuple(sorted({it.user_id for it in caught}))
                times = [it.at for it in caught]
                findings.append(Finding(rule, mark, accounts, min(times), max(times)))
    return findings


def _caught(sightings: list[Sighting], rule: VelocityRule) -> list[Sighting]:
    """Return the sightings of one mark that lie in a span of time with enough accounts."""
    ordered = sorted(sightings, key=lambda it: it.at)
    inside: defaultdict[str, int] = defaultdict(int)
    start, caught_to, caught = 0, 0, list[Sighting]()
    for end, newest in enumerate(ordered):
        inside[newest.user_id] += 1
        while ordered[start].at <= newest.at - rule.within:
            left = ordered[start].user_id
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            start += 1
        if len(inside) >= rule.accounts:
            caught += ordered[max(start, caught_to) : end + 1]
            caught_to = end + 1
    return caught


def _by_mark(sightings: Iterable[Sighting]) -> dict[tuple[Link, str], list[Sighting]]:
    groups: defaultdict[tuple[Link, str], list[Sighting]] = defaultdict(list)
    for it in sightings:
        groups[it.link, it.mark].append(it)
    return groups


def _cluster(groups: Mapping[tuple[Link, str], list[Sighting]]) -> Cluster:
    shared = [Shared(link, mark, len({it.user_id for it in found})) for (link, mark), found in groups.items()]
    times = [it.at for found in groups.values() for it in found]
    return Cluster(
        user_ids=tuple(sorted({it.user_id for found in groups.values() for it in found})),
        shared=tuple(sorted(shared, key=lambda it: (-it.accounts, it.link, it.mark))),
        first_at=min(times),
        last_at=max(times),
    )
