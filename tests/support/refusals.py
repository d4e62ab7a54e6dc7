"""Expect a refusal of a capability's table."""

import re

import pytest

from kswifi.kernel.errors import Refusal, RefusedError


def refused(*rows: Refusal, match: str | re.Pattern[str] | None = None) -> pytest.RaisesExc[RefusedError]:
    """Expect that the block raises the exception of one of these rows."""
    return pytest.raises(RefusedError, match=match, check=lambda error: error.refusal in rows)
