"""Clusters and velocity rules on sightings alone."""

import random
from datetime import timedelta

import pytest

from kswifi.desk.fraud.model import Link, Sighting, VelocityRule, clusters_of, series_of, too_fast
from tests.support.databases import START

HOUR = timedelta(hours=1)


def seen(link: Link, mark: str, accounts: str, hours: int = 0) -> list[Sighting]:
    """Return one sighting of each account, an hour apart."""
    return [Sighting(user, link, mark, START + (hours + n) * HOUR) for n, user in enumerate(accounts)]


@pytest.mark.parametrize(
    ("sightings", "found"),
    [
        (seen(Link.DEVICE, "d", "ab"), []),  # a family
        (seen(Link.DEVICE, "d", "aaaa"), []),  # one person, often
        (seen(Link.DEVICE, "d", "abc"), ["abc"]),
        (seen(Link.NETWORK, "41.58.0.0/16", "abcdefghijklmnop"), []),  # an address joins nobody
        (seen(Link.DEVICE, "d", "abc") + seen(Link.NETWORK, "n", "cdefgh"), ["abc"]),
        (seen(Link.SERIES, "+23480312345", "abcdefghi"), []),
        (seen(Link.SERIES, "+23480312345", "abcdefghij"), ["abcdefghij"]),
        (seen(Link.DEVICE, "d", "abc") + seen(Link.DEVICE, "e", "xyz"), ["abc", "xyz"]),
        (seen(Link.DEVICE, "d", "abc") + seen(Link.CARD, "e", "cde"), ["abcde"]),
        (seen(Link.DEVICE, "d", "abc") + seen(Link.PAYMENT, "e", "cd"), ["abc"]),  # two share the second mark
        (seen(Link.DEVICE, "d", "xyz") + seen(Link.DEVICE, "e", "abcd"), ["abcd", "xyz"]),
    ],
)
def test_accounts_are_joined_by_what_enough_of_them_share(sightings: list[Sighting], found: list[str]) -> None:
    random.Random(7).shuffle(sightings)
    assert ["".join(it.user_ids) for it in clusters_of(sightings)] == found


def test_a_cluster_says_what_is_shared_and_keeps_its_key_as_it_grows() -> None:
    first = seen(Link.DEVICE, "d", "abc") + seen(Link.CARD, "e", "cdef", hours=5)
    (small,) = clusters_of(first)
    assert [(it.link, it.mark, it.accounts) for it in small.shared] == [(Link.CARD, "e", 4), (Link.DEVICE, "d", 3)]
    assert (small.first_at, small.last_at) == (START, START + 8 * HOUR)
    (large,) = clusters_of(first + seen(Link.DEVICE, "d", "xyz", hours=20))
    assert small.key == large.key == "a"


def test_clusters_are_those_of_a_slow_search() -> None:
    """Compare with a search that joins by repetition, over random sightings."""
    for seed in range(20):
        luck = random.Random(seed)
        sightings = [
            Sighting(luck.choice("abcdefghijklmnopqrst"), luck.choice([Link.DEVICE, Link.CARD]), mark, START)
            for mark in "123456789"
            for _ in range(luck.randrange(6))
        ]
        groups: dict[tuple[Link, str], set[str]] = {}
        for it in sightings:
            groups.setdefault((it.link, it.mark), set()).add(it.user_id)
        sets = [set(users) for users in groups.values() if len(users) >= 3]
        while any(a is not b and a & b for a in sets for b in sets):
            one = next(a for a in sets if any(a is not b and a & b for b in sets))
            sets.remove(one)
            next(b for b in sets if b & one).update(one)
        assert sorted(tuple(sorted(it)) for it in sets) == sorted(it.user_ids for it in clusters_of(sightings))


@pytest.mark.parametrize(
    ("accounts", "hours", "found"),
    [
        ("abcde", 6, "abcde"),
        ("abcde", 5, "abcde"),  # the first and the last are four hours apart
        ("abcde", 4, ""),
        ("abcd", 24, ""),
        ("aabbccdd", 24, ""),
        ("abcdeffff", 5, "abcdef"),  # once caught, the span grows with every account that is close enough
    ],
)
def test_so_many_accounts_in_a_time_are_too_fast(accounts: str, hours: int, found: str) -> None:
    rule = VelocityRule(Link.DEVICE, 5, hours * HOUR)
    caught = too_fast(seen(Link.DEVICE, "d", accounts) + seen(Link.CARD, "d", "vwxyz"), (rule,))
    assert "".join("".join(it.user_ids) for it in caught) == found


def test_an_address_alone_holds_nobody() -> None:
    with pytest.raises(ValueError, match="address"):
        VelocityRule(Link.NETWORK, 1_000, HOUR)
    with pytest.raises(ValueError, match="needs 3"):
        VelocityRule(Link.DEVICE, 2, HOUR)


def test_a_series_is_a_number_without_its_last_two_digits() -> None:
    assert series_of("+2348031234567") == "+23480312345"
