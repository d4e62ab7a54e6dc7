"""The errors of supply."""

from kswifi.kernel.errors import KswifiError


class ProviderWebhookError(KswifiError):
    """The base of the errors of a provider's webhook."""

    code = "provider_webhook_wrong"


class ProviderWebhookForgedError(ProviderWebhookError):
    """The signature is missing or wrong, or the sender's address is not on the provider's list."""

    code = "provider_webhook_forged"


class ProviderWebhookUnreadableError(ProviderWebhookError):
    """The webhook came from the provider, but its body cannot be read."""

    code = "provider_webhook_unreadable"
