"""Pages by keys: every item once, whatever the limit; a cursor is what a page gave, or it is refused."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kswifi.kernel.errors import RefusedError
from kswifi.kernel.pages import Key, Page, PageRequest, decode_cursor, encode_cursor, page_of

KEYS = st.tuples(st.integers(-(2**53), 2**53), st.text("abcXYZ0189-", max_size=8))


def key_of(item: Key) -> Key:
    return item


@given(st.sets(KEYS, max_size=12), st.integers(1, 13))
def test_following_the_cursors_gives_each_item_once_in_order(keys: set[Key], limit: int) -> None:
    items = sorted(keys)
    found: list[Key] = []
    request = PageRequest(limit)
    while True:
        page = page_of(items, key_of, request)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            break
        assert len(page.items) == limit
        request = PageRequest(limit, decode_cursor(page.cursor))
    assert found == items


@given(st.sets(st.integers(0, 50), min_size=3), st.data())
def test_deleted_and_added_items_neither_repeat_nor_hide_others(numbers: set[int], data: st.DataObject) -> None:
    items = sorted((it,) for it in numbers)
    first = page_of(items, key_of, PageRequest(2))
    assert first.last is not None
    deleted = set(data.draw(st.lists(st.sampled_from(items))))
    added = {(it,) for it in data.draw(st.sets(st.integers(0, 50)))}
    changed = sorted((set(items) - deleted) | added)
    rest = page_of(changed, key_of, PageRequest(100, first.last)).items
    assert rest == [it for it in changed if it > first.items[-1]]


def test_the_end_of_a_list_has_no_cursor() -> None:
    assert page_of([(1,), (2,)], key_of, PageRequest(2)) == Page([(1,), (2,)], None)
    assert page_of([], key_of, PageRequest(1, ("x",))) == Page([], None)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=30).map(lambda it: urlsafe_b64encode(it).decode())))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        key = decode_cursor(text)
    except RefusedError:
        return
    assert encode_cursor(key) == text


@pytest.mark.parametrize(
    "values", [{}, 7, [None], [True], [1.5], [[1]], [2**53 + 1], ["\x00"], ["\ud800"], ["\u202e"], ["é"]]
)
def test_values_that_no_key_has_are_refused(values: object) -> None:
    text = urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()
    with pytest.raises(RefusedError, match="next") as refused:
        decode_cursor(text)
    assert refused.value.code == "page_cursor_invalid"


@pytest.mark.parametrize("after", [("a",), (1, 2), ()])
def test_the_cursor_of_another_list_is_refused(after: Key) -> None:
    with pytest.raises(RefusedError, match="next"):
        page_of([(1,)], key_of, PageRequest(1, after))
