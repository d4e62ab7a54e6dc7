"""The wallet that the examples spend from."""

import pytest

from kswifi.ledger import commands as do
from tests.support.small_ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    it = Ledger()
    it.do(do.OpenWallet("open", "w", "621990000000001"))
    return it
