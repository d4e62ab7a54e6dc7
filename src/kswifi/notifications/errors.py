"""The errors of notifications."""

from kswifi.kernel.errors import KswifiError, Refusal


class PushEndpointRefusedError(KswifiError):
    """The endpoint of a subscription is not HTTPS, or not in the public internet."""

    code = "push_endpoint_refused"


PUSH_KEY_INVALID = Refusal(
    "push_key_invalid",
    "The key of a subscription is no point of P-256, or its secret not 16 octets (RFC 8291, 2).",
    status=422,
)
UNKNOWN_PUSH_SUBSCRIPTION = Refusal(
    "unknown_push_subscription", "The user has no subscription with this id.", status=404
)
TEXT_AT_END_IMPOSSIBLE = Refusal(
    "text_at_end_impossible", "Text messages at the end are switched on, and nothing sends text messages."
)
VAPID_KEY_DAMAGED = Refusal("vapid_key_damaged", "The key file by which push services know us cannot be read.")
