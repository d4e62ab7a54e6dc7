"""Errors of the HTTP edge."""

from kswifi.kernel.errors import KswifiError


class HostNotAllowedError(KswifiError):
    """The Host header names no host of this server; protects from DNS rebinding."""

    code = "host_not_allowed"


class OriginNotAllowedError(KswifiError):
    """A page of another origin sent a request that changes something."""

    code = "origin_not_allowed"


class CsrfTokenWrongError(KswifiError):
    """X-CSRF-Token is missing or belongs to another LoginSession."""

    code = "csrf_token_wrong"


class HeadersTooLargeError(KswifiError):
    """The request has too many header fields, or too many octets of them."""

    code = "headers_too_large"


class BodyTooLargeError(KswifiError):
    """The body is longer than the limit."""

    code = "body_too_large"


class UnsupportedMediaTypeError(KswifiError):
    """The body is not JSON."""

    code = "unsupported_media_type"


class IdempotencyKeyMissingError(KswifiError):
    """A request that changes something has no Idempotency-Key."""

    code = "idempotency_key_missing"


class IdempotencyKeyInvalidError(KswifiError):
    """The Idempotency-Key is not 8 to 128 visible ASCII characters."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReusedError(KswifiError):
    """The Idempotency-Key was used before with a different request."""

    code = "idempotency_key_reused"


class RequestInFlightError(KswifiError):
    """A request with the same key is being executed now."""

    code = "request_in_flight"


class RequestTookTooLongError(KswifiError):
    """The request exceeded its time limit; the client sends it again with the same key to continue."""

    code = "request_took_too_long"


class TooManyStreamsError(KswifiError):
    """The user, or all users together, have the maximum number of event streams open."""

    code = "too_many_streams"


class LastEventIdInvalidError(KswifiError):
    """Last-Event-ID is not an event id of this server."""

    code = "last_event_id_invalid"


class NotReadyError(KswifiError):
    """A part that the server needs is missing or does not answer."""

    code = "not_ready"


class MetricsNotForYouError(KswifiError):
    """The client may not read the metrics: it is not on this machine or in a configured network."""

    code = "metrics_not_for_you"
