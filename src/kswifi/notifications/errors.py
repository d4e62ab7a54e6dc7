"""What notifications refuse."""

from kswifi.kernel.errors import KswifiError


class PushEndpointRefusedError(KswifiError):
    """The address of a subscription is none that a push service has: not HTTPS, or not in the public internet."""

    code = "push_endpoint_refused"


class PushKeyInvalidError(KswifiError):
    """The key of a subscription is no point of P-256, or its secret not 16 octets (RFC 8291, 2)."""

    code = "push_key_invalid"


class UnknownPushSubscriptionError(KswifiError):
    """The user has no subscription with this id."""

    code = "unknown_push_subscription"


class VapidKeyDamagedError(KswifiError):
    """The key file by which push services know us cannot be read."""

    code = "vapid_key_damaged"
