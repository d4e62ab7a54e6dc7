"""Web Push as the tests send it."""

from typing import Final

from kswifi.kernel.clock import Clock
from kswifi.providers.push.web_push import WebPush, fresh_vapid_key_pem

_PEM: Final = fresh_vapid_key_pem()


def push_transport(clock: Clock, also: frozenset[str] = frozenset()) -> WebPush:
    return WebPush(_PEM, "mailto:push@example.ng", clock, also)
