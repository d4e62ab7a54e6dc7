"""What a gateway calls an amount is whole kobo that a book can hold, or nothing."""

from kswifi.providers.payments.gateway_http import exact_kobo


def test_an_amount_that_no_book_holds_is_none() -> None:
    for value in (10**18, -(10**18), "1" * 19, "-5", "80000.0", 80_000.0, True, None, "\N{FULLWIDTH DIGIT EIGHT}"):
        assert exact_kobo(value) is None, value
    assert [exact_kobo(it) for it in (80_000, "80000", 10**18 - 1)] == [80_000, 80_000, 10**18 - 1]
