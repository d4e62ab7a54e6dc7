"""What the HTTP edge itself refuses."""

from kswifi.kernel.errors import KswifiError


class HostNotAllowedError(KswifiError):
    """The Host header is not one of this server's names: a page somewhere rebinds its own name to us."""

    code = "host_not_allowed"


class OriginNotAllowedError(KswifiError):
    """A page of another origin sent a request that would change something."""

    code = "origin_not_allowed"


class CsrfTokenWrongError(KswifiError):
    """X-CSRF-Token is missing or belongs to another LoginSession."""

    code = "csrf_token_wrong"


class HeadersTooLargeError(KswifiError):
    """More headers, or longer ones, than any client of ours sends."""

    code = "headers_too_large"


class BodyTooLargeError(KswifiError):
    """A body larger than any request of ours."""

    code = "body_too_large"


class UnsupportedMediaTypeError(KswifiError):
    """A body that is not JSON."""

    code = "unsupported_media_type"


class IdempotencyKeyMissingError(KswifiError):
    """A request that changes something came without an Idempotency-Key."""

    code = "idempotency_key_missing"


class IdempotencyKeyInvalidError(KswifiError):
    """The Idempotency-Key is not 8 to 128 visible ASCII characters."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReusedError(KswifiError):
    """The Idempotency-Key belongs to a different request."""

    code = "idempotency_key_reused"


class RequestInFlightError(KswifiError):
    """The same request is being worked on at this moment."""

    code = "request_in_flight"


class RequestTookTooLongError(KswifiError):
    """The request was given up; sending it again with the same key continues it."""

    code = "request_took_too_long"


class TooManyStreamsError(KswifiError):
    """More event streams than a person has windows."""

    code = "too_many_streams"


class LastEventIdInvalidError(KswifiError):
    """Last-Event-ID is not an id of ours."""

    code = "last_event_id_invalid"


class NotReadyError(KswifiError):
    """A part that the server needs does not answer."""

    code = "not_ready"


class MetricsNotForYouError(KswifiError):
    """Metrics are for this machine and the networks that a setting names."""

    code = "metrics_not_for_you"
