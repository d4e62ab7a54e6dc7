"""An API on ``::`` sees IPv4 clients as IPv4-mapped addresses: rates and networks must see their real ones."""

import pytest
from starlette.requests import Request

from kswifi.api.edge.dependencies import client_address


@pytest.mark.parametrize(
    ("shown", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
    ],
)
async def test_a_rate_is_counted_for_one_ipv4_address_or_one_64(shown: str, counted: str) -> None:
    assert await client_address(Request({"type": "http", "client": (shown, 1)})) == counted
