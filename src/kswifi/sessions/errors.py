"""Errors of sessions, each with a stable code."""

from kswifi.kernel.errors import KswifiError, Refusal


class SessionsError(KswifiError):
    """Base class of the errors of this capability."""

    code = "session_refused"


class UnknownSessionError(SessionsError):
    """There is no such session, or it belongs to another user; a client cannot tell the two cases apart."""

    code = "unknown_session"


ILLEGAL_TRANSITION = Refusal(
    "illegal_transition", "The state machine does not list this event for this state.", status=409
)
PAYMENT_REQUIRED = Refusal("payment_required", "The offer has a price, and no pass runs that gives it.", status=402)
FAIR_USE_REACHED = Refusal(
    "fair_use_reached",
    "The pass's fair-use limit, published before it was bought, is used up or held by unfinished sessions.",
    status=409,
)
TOO_MANY_PASS_SESSIONS = Refusal(
    "too_many_pass_sessions", "As many sessions under the pass are unfinished as may be at once.", status=409
)
IDEMPOTENCY_KEY_REUSED = Refusal(
    "idempotency_key_reused", "The same Idempotency-Key came with a different request.", status=422
)
ESIM_NOT_FRESH = Refusal(
    "esim_not_fresh", "The profile carries a session already: one session a profile.", status=409
)
SESSION_IS_FOR_ANOTHER_ESIM = Refusal(
    "session_is_for_another_esim", "The session was packaged for another eSIM's ICCID.", status=409
)
NO_SESSION_ON_ESIM = Refusal("no_session_on_esim", "No stored session is on this eSIM.", status=409)
CARD_FULL = Refusal("card_full", "Every record of the card holds a session that is not over.", status=409)
PROFILE_NOT_INSTALLED = Refusal(
    "profile_not_installed", "The profile is on no card yet, so no packet could reach it.", status=409
)
PACKET_SUPERSEDED = Refusal("packet_superseded", "A newer packet was handed out for the same record.", status=409)
SESSIONS_NOT_ON_ESIM = Refusal(
    "sessions_not_on_esim", "An order of use names something that is not on the eSIM.", status=409
)
NOT_ON_WIFI = Refusal(
    "not_on_wifi", "Asked over the session itself: a download would be paid for with what it brings.", status=403
)
SESSION_ENDED = Refusal("session_ended", "The session is over.", status=410)
PACKAGE_NOT_READY = Refusal("package_not_ready", "The package is still being signed.", status=503)
PACKAGE_DIGEST_MISMATCH = Refusal(
    "package_digest_mismatch", "What the device holds is not what was served.", status=422
)
NOT_CANCELLABLE = Refusal("not_cancellable", "Octets have flowed, or it has ended.", status=409)
SESSION_SIGNING_KEY_DAMAGED = Refusal(
    "session_signing_key_damaged", "The key file that signs packages and records cannot be used."
)
TOO_MANY_SIGNING_KEYS = Refusal("too_many_signing_keys", "Too many signing keys were retired lately.")
TOO_MANY_DISPUTES = Refusal(
    "too_many_disputes", "There are as many disputes of one session as anybody can look into.", status=409
)
WIFI_UNKNOWN = Refusal(
    "wifi_unknown", "Nobody could say whether the request came over WiFi, so it is not taken for it.", status=503
)
LINE_IN_USE = Refusal(
    "line_in_use", "Another session is on this data provider's line: its bundle would start by itself.", status=409
)
PAUSE_NOT_OFFERED = Refusal(
    "pause_not_offered", "The data provider of this line cannot switch its data off and on again.", status=409
)
UNKNOWN_DISPUTE = Refusal("unknown_dispute", "There is no such dispute.")
DISPUTE_ANSWERED = Refusal("dispute_answered_already", "The dispute was answered before.")
