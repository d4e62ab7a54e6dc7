"""Errors of the HTTP edge."""

from kswifi.kernel.errors import Refusal

HOST_NOT_ALLOWED = Refusal(
    "host_not_allowed",
    "The Host header is not one of this server's names: a page somewhere rebinds its own name to us.",
    status=421,
)
ORIGIN_NOT_ALLOWED = Refusal(
    "origin_not_allowed", "A page of another origin sent a request that would change something.", status=403
)
CSRF_TOKEN_WRONG = Refusal(
    "csrf_token_wrong", "X-CSRF-Token is missing or belongs to another LoginSession.", status=403
)
HEADERS_TOO_LARGE = Refusal(
    "headers_too_large", "More headers, or longer ones, than any client of ours sends.", status=431
)
BODY_TOO_LARGE = Refusal("body_too_large", "A body larger than any request of ours.", status=413)
UNSUPPORTED_MEDIA_TYPE = Refusal("unsupported_media_type", "A body that is not JSON.", status=415)
IDEMPOTENCY_KEY_MISSING = Refusal(
    "idempotency_key_missing", "A request that changes something came without an Idempotency-Key.", status=400
)
IDEMPOTENCY_KEY_INVALID = Refusal(
    "idempotency_key_invalid", "The Idempotency-Key is not 8 to 128 visible ASCII characters.", status=400
)
IDEMPOTENCY_KEY_REUSED = Refusal(
    "idempotency_key_reused", "The Idempotency-Key belongs to a different request.", status=422
)
REQUEST_IN_FLIGHT = Refusal("request_in_flight", "The same request is being worked on at this moment.", status=409)
REQUEST_TOOK_TOO_LONG = Refusal(
    "request_took_too_long",
    "The request was given up; sending it again with the same key continues it.",
    status=503,
)
TOO_MANY_STREAMS = Refusal("too_many_streams", "More event streams than a person has windows.", status=429)
LAST_EVENT_ID_INVALID = Refusal("last_event_id_invalid", "Last-Event-ID is not an id of ours.", status=400)
NOT_READY = Refusal("not_ready", "A part that the server needs does not answer.", status=503)
METRICS_NOT_FOR_YOU = Refusal(
    "metrics_not_for_you", "Metrics are for this machine and the networks that a setting names.", status=403
)
