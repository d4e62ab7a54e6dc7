"""The errors of supply."""

from kswifi.kernel.errors import KswifiError, Refusal


class ProviderWebhookError(KswifiError):
    """The base of the errors of a provider's webhook."""

    code = "provider_webhook_wrong"


class ProviderWebhookForgedError(ProviderWebhookError):
    """The signature is missing or wrong, or the sender's address is not on the provider's list."""

    code = "provider_webhook_forged"


class ProviderWebhookUnreadableError(ProviderWebhookError):
    """The webhook came from the provider, but its body cannot be read."""

    code = "provider_webhook_unreadable"


class IllegalOrderTransitionError(KswifiError):
    """An order at a provider cannot take this event in its state."""

    code = "illegal_order_transition"


class UnknownProviderOrderError(KswifiError):
    """There is no order at a provider with this reference."""

    code = "unknown_provider_order"


class NoExchangeRateError(KswifiError):
    """The operator has set no exchange rate of a provider's currency."""

    code = "no_exchange_rate"


BUNDLE_NOT_MAPPED = Refusal("bundle_not_mapped", "No provider's bundle is set for this offer.", status=409)
BUNDLE_SOLD_OUT = Refusal("bundle_sold_out", "The provider has none of this bundle at present.", status=409)
NOT_A_PROVIDER_LINE = Refusal("not_a_provider_line", "This line is not served by a data provider.", status=404)
NO_INSTALLATION_YET = Refusal("no_installation_yet", "The provider has not delivered the profile yet.", status=409)
NUMBER_NOT_VERIFIED = Refusal(
    "number_not_verified", "The phone number of this line has to be verified again.", status=403
)
NO_LINE_YET = Refusal("no_line_yet", "There is no line with a verified phone number yet.", status=409)
PORTION_PENDING = Refusal("portion_pending", "A portion was requested and is not delivered yet.", status=409)
NO_PORTION_LEFT = Refusal("no_portion_left", "The whole session was drawn.", status=409)
TOO_MANY_BUNDLES = Refusal("too_many_bundles", "This line bought too many bundles in a day.", status=429)
NETWORK_UNKNOWN = Refusal("network_unknown", "No bundle is set for this mobile network.", status=422)
UNKNOWN_PROVIDER_WEBHOOK = Refusal(
    "unknown_provider_webhook", "No data provider is configured under this address.", status=404
)
UNKNOWN_USSD = Refusal("unknown_ussd", "No USSD code is configured under this address.", status=404)
SUPPLY_NOT_SET_UP = Refusal("supply_not_set_up", "No data provider delivers sessions here.", status=404)
