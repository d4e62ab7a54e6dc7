"""The errors of notifications."""

from kswifi.kernel.errors import KswifiError


class PushEndpointRefusedError(KswifiError):
    """The endpoint of a subscription is not HTTPS, or not in the public internet."""

    code = "push_endpoint_refused"


class PushKeyInvalidError(KswifiError):
    """The key of a subscription is not a point of P-256, or its secret is not 16 octets long (RFC 8291, 2)."""

    code = "push_key_invalid"


class UnknownPushSubscriptionError(KswifiError):
    """The user has no subscription with this id."""

    code = "unknown_push_subscription"


class VapidKeyDamagedError(KswifiError):
    """The VAPID key file, which identifies us to push services, cannot be read."""

    code = "vapid_key_damaged"
