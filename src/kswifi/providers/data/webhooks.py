"""The common parts of reading a provider's webhook."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from kswifi.providers.data.provider_http import read_json
from kswifi.supply.errors import ProviderWebhookForgedError, ProviderWebhookUnreadableError


def require_sender(sender: str, allowed: Sequence[str]) -> None:
    """Refuse a webhook from an address outside these networks (CIDR); no networks accept any address.

    Raises:
        ProviderWebhookForgedError: the address is not in one of them.
    """
    if not allowed:
        return
    try:
        address = ipaddress.ip_address(sender)
    except ValueError:
        raise ProviderWebhookForgedError("the sender of this webhook has no address") from None
    if not any(address in ipaddress.ip_network(network, strict=False) for network in allowed):
        raise ProviderWebhookForgedError("this address sends no webhooks of this provider", sender=str(address))


def webhook_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a webhook.

    Raises:
        ProviderWebhookUnreadableError: the body is no JSON object.
    """
    found = read_json(body)
    if found is None or not isinstance(found.value, dict):
        raise ProviderWebhookUnreadableError("this webhook is no JSON object")
    return found.value
