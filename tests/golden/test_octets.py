"""Session packages, session records and secured packets keep their octets (see test_surface for the dumps)."""

import pytest

from tests.golden import dumps, octets


@pytest.mark.parametrize("name", dumps.OCTETS)
def test_the_octets_are_unchanged(name: str) -> None:
    assert dumps.OCTETS[name]() == dumps.read_dump(name)


def test_a_package_that_was_made_before_is_still_read() -> None:
    written = octets.PACKAGE.read_bytes()
    expected = dumps.read_dump("package")
    assert octets.anatomy(written) == expected
    read = octets.verified(written)
    assert read["session_record"] == expected["chunks"]["session_record"]
    assert read["terms"].encode().hex() == expected["chunks"]["terms.txt"]
    assert read["kid"] == expected["header"]["kid"]
    assert read["manifest"]["session_id"] == octets.SESSION_ID


def test_a_package_made_today_has_the_same_parts() -> None:
    made = octets.package()
    assert octets.anatomy(made) == dumps.read_dump("package")
    assert octets.verified(made)["manifest"]["allowance_octets"] == octets.ALLOWANCE
