"""Errors of sessions, each with a stable code."""

from kswifi.kernel.errors import KswifiError


class SessionsError(KswifiError):
    """Base class of the errors of this capability."""

    code = "session_refused"


class IllegalTransitionError(SessionsError):
    """The state machine does not list this event for this state."""

    code = "illegal_transition"


class UnknownSessionError(SessionsError):
    """There is no such session, or it belongs to another user; a client cannot tell the two cases apart."""

    code = "unknown_session"


class PaymentRequiredError(SessionsError):
    """The offer has a price, and the user has no running pass for it."""

    code = "payment_required"


class FairUseReachedError(SessionsError):
    """The pass's fair-use limit is used up or held by unfinished sessions."""

    code = "fair_use_reached"


class TooManyPassSessionsError(SessionsError):
    """The user has the maximum number of unfinished sessions under a pass."""

    code = "too_many_pass_sessions"


class IdempotencyKeyReusedError(SessionsError):
    """The Idempotency-Key was used before with a different request."""

    code = "idempotency_key_reused"


class EsimNotFreshError(SessionsError):
    """The eSIM waits for its first session; a profile that is not installed can carry one only."""

    code = "esim_not_fresh"


class WrongEsimError(SessionsError):
    """The session's package was made for the ICCID of another eSIM."""

    code = "session_is_for_another_esim"


class NoSessionOnEsimError(SessionsError):
    """The eSIM has no stored session."""

    code = "no_session_on_esim"


class CardFullError(SessionsError):
    """Every record of the card holds a live session."""

    code = "card_full"


class CardNotReadyError(SessionsError):
    """The profile is not installed on a card, so no packet can reach it."""

    code = "profile_not_installed"


class PacketSupersededError(SessionsError):
    """A newer packet was handed out for the same record."""

    code = "packet_superseded"


class SessionsNotOnEsimError(SessionsError):
    """An order of use names a session that is not on the eSIM, or names one twice."""

    code = "sessions_not_on_esim"


class NotOnWifiError(SessionsError):
    """The request came over an internet session: a download must not use the data that it delivers."""

    code = "not_on_wifi"


class SessionEndedError(SessionsError):
    """The session has ended."""

    code = "session_ended"


class PackageNotReadyError(SessionsError):
    """The package is still being signed."""

    code = "package_not_ready"


class PackageDigestMismatchError(SessionsError):
    """The digest from the device is not the digest of the package."""

    code = "package_digest_mismatch"


class NotCancellableError(SessionsError):
    """The session has usage, or it has ended."""

    code = "not_cancellable"


class SigningKeyDamagedError(SessionsError):
    """The key file that signs packages and records cannot be used."""

    code = "session_signing_key_damaged"


class TooManyDisputesError(SessionsError):
    """The session has the maximum number of disputes."""

    code = "too_many_disputes"


class WifiUnknownError(SessionsError):
    """The server cannot tell whether the request came over WiFi, so it refuses the download."""

    code = "wifi_unknown"
