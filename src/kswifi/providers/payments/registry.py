"""The registry of payment gateways, by their names in ``KSWIFI_PAYMENT_GATEWAY``.

To add one: write a module in this folder with ``open_gateway(options: GatewayOptions) -> PaymentGateway`` and
``UNCONFIRMED``, add its line to ``GATEWAYS``, and add it to the contract suite
(`tests/contract/test_payment_gateways.py`). Its webhooks arrive at ``/webhooks/{name}``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from kswifi.payments.ports import PaymentGateway


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """The secret key at the gateway, and the address of its API if it differs from the gateway's default."""

    secret_key: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    """The form of a gateway's secret keys: a regular expression, a description, and the prefix of test keys."""

    key_pattern: str
    key_words: str
    test_prefix: str

    def accepts_key(self, key: str) -> bool:
        """Return whether a key has the form of this gateway's keys."""
        return re.fullmatch(self.key_pattern, key) is not None


GATEWAYS: Final[Mapping[str, GatewayEntry]] = {
    "paystack": GatewayEntry(r"sk_(live|test)_[!-~]{8,200}", "begin with sk_live_ or sk_test_", "sk_test_"),
}
"""The gateways that an operator can name; embedded mode uses the sandbox gateway without a name."""


def open_gateway(name: str, options: GatewayOptions) -> PaymentGateway:
    """Return the named gateway, or the sandbox. Its module is imported on this call."""
    gateway: PaymentGateway = _module(name).open_gateway(options)
    return gateway


def unconfirmed_details(name: str) -> tuple[str, ...]:
    """Return the adapter's assumptions that only the gateway itself can confirm."""
    details: tuple[str, ...] = _module(name).UNCONFIRMED
    return details


def _module(name: str) -> Any:
    if name not in GATEWAYS and name != "sandbox":
        raise KeyError(name)
    return import_module(f"kswifi.providers.payments.{name}")
