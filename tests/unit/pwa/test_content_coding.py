"""The content coding chosen from Accept-Encoding, rule by rule (RFC 9110, 12.5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.pwa.content_coding import choose_coding

OFFERED = ("br", "gzip")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate", "identity"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br ; q=0.8 , gzip ; q=0.8", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, gzip;q=0.000", "identity"),
        ("gzip;q=0.001", "gzip"),
        ("identity", "identity"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0, identity;q=0.1", "identity"),
        ("*;q=0, gzip;q=0.1", "gzip"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("brotli, gzipped", "identity"),
        ("gzip;q=2, br;q=-1", "identity"),
        ("gzip;q=nan, br;level=1", "identity"),
    ],
)
def test_the_weights_of_the_client_decide(accepted: str | None, chosen: str | None) -> None:
    assert choose_coding(accepted, OFFERED) == chosen


@pytest.mark.parametrize(("accepted", "chosen"), [("br, gzip", "identity"), ("identity;q=0, br", None)])
def test_a_coding_that_is_not_offered_is_not_chosen(accepted: str, chosen: str | None) -> None:
    assert choose_coding(accepted, ()) == chosen


@given(st.dictionaries(st.sampled_from(["br", "gzip", "identity", "*", "zstd"]), st.integers(0, 1000)))
def test_the_offered_coding_with_the_highest_weight_is_chosen_and_a_refused_one_never(
    weights: dict[str, int],
) -> None:
    chosen = choose_coding(", ".join(f"{coding};q={weight / 1000}" for coding, weight in weights.items()), OFFERED)
    wished = {coding: weights.get(coding, weights.get("*", 0)) for coding in OFFERED}
    if "identity" in weights or "*" in weights:
        wished["identity"] = weights.get("identity", weights.get("*", 0))
    elif not any(wished.values()):
        wished["identity"] = 1
    if chosen is None:
        assert not any(wished.values())
    else:
        assert wished[chosen] == max(wished.values()) > 0


@given(st.text(max_size=60))
def test_any_field_value_gets_a_decision(accepted: str) -> None:
    assert choose_coding(accepted, OFFERED) in {*OFFERED, "identity", None}
