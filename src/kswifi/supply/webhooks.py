"""Webhooks of data providers: each only brings a look at the provider forward."""

import hmac
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from kswifi.esim.lines.vault import SubscriberVault
from kswifi.supply import store
from kswifi.supply.context import Supply
from kswifi.supply.errors import UNKNOWN_PROVIDER_WEBHOOK
from kswifi.supply.ports import Notice

PATH_OCTETS = 16


def secret_path(vault: SubscriberVault, provider: str) -> str:
    """Return the secret part of a provider's webhook address; always the same for an installation."""
    return vault.derived_key(f"webhooks of the data provider {provider}")[:PATH_OCTETS].hex()


class SupplyWebhooks:
    """Takes webhooks."""

    def __init__(
        self, supply: Supply, catalogue_changed: Callable[[str], None], paths: Mapping[str, str] | None = None
    ) -> None:
        """``paths`` are the secret paths that the operator set; others are derived from the installation's key."""
        self._supply = supply
        self._paths = paths or {}
        self._catalogue_changed = catalogue_changed

    async def take(self, name: str, secret: str, headers: Mapping[str, str], body: bytes, sender: str) -> str:
        """Take a webhook; return the JSON text of the answer. A repeated delivery has no effect.

        Raises:
            UNKNOWN_PROVIDER_WEBHOOK: no provider with this name is configured, or the path is wrong.
            ProviderWebhookForgedError, ProviderWebhookUnreadableError: as ``DataProvider.read_webhook``.
        """
        provider = self._supply.providers.get(name)
        expected = self._paths.get(name) or secret_path(self._supply.vault, name)
        if provider is None or not hmac.compare_digest(expected.encode(), secret.encode("utf-8", "replace")):
            raise UNKNOWN_PROVIDER_WEBHOOK("there is no such webhook")
        notices = provider.read_webhook(headers, body, sender)

        def take(connection: Connection) -> list[Notice]:
            fresh = [it for it in notices if store.take_notice(connection, name, it.dedupe_key)]
            for notice in fresh:
                store.look_now(
                    connection,
                    name,
                    reference=notice.reference,
                    provider_ref=notice.provider_ref,
                    line_ref=notice.line_ref,
                )
            return fresh

        if any(notice.catalogue for notice in await self._supply.database.write(take)):
            self._catalogue_changed(name)
        return provider.webhook_answer
