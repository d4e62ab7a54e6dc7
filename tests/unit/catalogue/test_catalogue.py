from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.catalogue.errors import CATALOGUE_INVALID, UNKNOWN_OFFER
from kswifi.catalogue.model import LAGOS, Offer, valid_until
from kswifi.catalogue.service import Catalogue
from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.quantities import GIGABYTE, Kobo, Octets
from tests.support.refusals import refused

ONE = """
[[offer]]
id = "one"
title = "One"
allowance_octets = 1_000_000_000
price_kobo = 0
valid_days = 30
"""


def _load(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "offers.toml"
    path.write_text(text, "utf-8")
    return Catalogue.load(path)


def test_the_four_offers() -> None:
    assert [
        (offer.id, offer.title, offer.allowance_octets, offer.price_kobo, offer.valid_days)
        for offer in Catalogue.load().offers()
    ] == [
        ("free-1gb", "1GB Session (Free) • 30 days", 10**9, 0, 30),
        ("free-3gb", "3GB Session (Free) • 30 days", 3 * 10**9, 0, 30),
        ("free-5gb", "5GB Session (Free) • 30 days", 5 * 10**9, 0, 30),
        ("unlimited", "Unlimited Sessions (₦800) • 7 days", None, 80_000, 7),
    ]


def test_an_offer_is_found_by_id_and_by_size() -> None:
    catalogue = Catalogue.load()
    assert catalogue.offer_of_size(3 * GIGABYTE) is catalogue.offer("free-3gb")
    assert catalogue.offer_of_size(None) is catalogue.offer("unlimited")
    assert not catalogue.offer("unlimited").free
    with refused(UNKNOWN_OFFER, match="free-2gb"):
        catalogue.offer("free-2gb")
    with refused(UNKNOWN_OFFER):
        catalogue.offer_of_size(2 * GIGABYTE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "offer: Field required"),
        ("offer = []", "offer"),
        ("[[offer", r"offers\.toml: "),
        (ONE + ONE, "same id"),
        (ONE + ONE.replace('"one"', '"two"'), "same allowance"),
        (ONE.replace("1_000_000_000", "1e9"), "allowance_octets"),
        (ONE.replace("1_000_000_000", "0"), "allowance_octets"),
        (ONE.replace("price_kobo = 0", "price_kobo = -1"), "price_kobo"),
        (ONE.replace("price_kobo = 0", 'price_kobo = "0"'), "price_kobo"),
        (ONE.replace("price_kobo", "price_naira"), "price"),
        (ONE.replace("valid_days = 30", "valid_days = 0"), "valid_days"),
        (ONE.replace('"one"', '"One GB"'), "offer.0.id"),
        (ONE + "colour = 'cyan'\n", "colour"),
    ],
)
def test_offers_that_cannot_be_used_are_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    with refused(CATALOGUE_INVALID, match=words):
        _load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with refused(CATALOGUE_INVALID, match="absent"):
        Catalogue.load(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xa8"')
    with refused(CATALOGUE_INVALID):
        Catalogue.load(tmp_path / "latin.toml")


def _offer(days: int) -> Offer:
    return Offer("o", "O", Octets(10**9), Kobo(0), days)


def test_validity_ends_with_the_local_day() -> None:
    late_in_lagos = datetime(2026, 11, 23, 22, 59, 59, tzinfo=UTC)  # 23:59:59 in Lagos
    assert valid_until(late_in_lagos, _offer(30)) == datetime(2026, 12, 23, 23, 0, tzinfo=UTC)
    next_day_in_lagos = late_in_lagos + timedelta(seconds=1)
    assert valid_until(next_day_in_lagos, _offer(30)) == datetime(2026, 12, 24, 23, 0, tzinfo=UTC)
    assert valid_until(late_in_lagos, _offer(7), ZoneInfo("Pacific/Auckland")) == datetime(
        2026, 12, 1, 11, 0, tzinfo=UTC
    )


@settings(deadline=None, max_examples=200)
@given(
    at=st.integers(1_577_836_800, 3_786_912_000).map(from_unix_seconds),
    days=st.integers(1, 366),
    zone=st.sampled_from(
        [LAGOS, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Sao_Paulo")]
    ),
)
def test_nobody_gets_less_than_the_days_or_more_than_one_more(at: datetime, days: int, zone: ZoneInfo) -> None:
    end = valid_until(at, _offer(days), zone)
    hour = timedelta(hours=1)  # a change of the clocks lies in between, perhaps
    assert timedelta(days=days) - hour <= end - at <= timedelta(days=days + 1) + hour
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    assert last == at.astimezone(zone).date() + timedelta(days=days)
