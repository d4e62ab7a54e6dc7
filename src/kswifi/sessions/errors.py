"""What can be refused on a session's road, each with a stable code."""

from kswifi.kernel.errors import KswifiError


class SessionsError(KswifiError):
    """Anything this capability refuses."""

    code = "session_refused"


class IllegalTransitionError(SessionsError):
    """The state machine does not list this event for this state."""

    code = "illegal_transition"


class UnknownSessionError(SessionsError):
    """There is no such session, or it belongs to somebody else: both look the same from outside."""

    code = "unknown_session"


class PaymentRequiredError(SessionsError):
    """The offer has a price, and no pass runs that gives it."""

    code = "payment_required"


class FairUseReachedError(SessionsError):
    """The pass's fair-use limit, published before it was bought, is used up or held by unfinished sessions."""

    code = "fair_use_reached"


class TooManyPassSessionsError(SessionsError):
    """As many sessions under the pass are unfinished as may be at once."""

    code = "too_many_pass_sessions"


class IdempotencyKeyReusedError(SessionsError):
    """The same Idempotency-Key came with a different request."""

    code = "idempotency_key_reused"


class EsimNotFreshError(SessionsError):
    """The profile carries a session already: one session a profile."""

    code = "esim_not_fresh"


class WrongEsimError(SessionsError):
    """The session was packaged for another eSIM's ICCID."""

    code = "session_is_for_another_esim"


class NoSessionOnEsimError(SessionsError):
    """No stored session is on this eSIM."""

    code = "no_session_on_esim"


class CardFullError(SessionsError):
    """Every record of the card holds a session that is not over."""

    code = "card_full"


class CardNotReadyError(SessionsError):
    """The profile is on no card yet, so no packet could reach it."""

    code = "profile_not_installed"


class PacketSupersededError(SessionsError):
    """A newer packet was handed out for the same record."""

    code = "packet_superseded"


class SessionsNotOnEsimError(SessionsError):
    """An order of use names something that is not on the eSIM."""

    code = "sessions_not_on_esim"


class NotOnWifiError(SessionsError):
    """Asked over the session itself: a download would be paid for with what it brings."""

    code = "not_on_wifi"


class SessionEndedError(SessionsError):
    """The session is over."""

    code = "session_ended"


class PackageNotReadyError(SessionsError):
    """The package is still being signed."""

    code = "package_not_ready"


class PackageDigestMismatchError(SessionsError):
    """What the device holds is not what was served."""

    code = "package_digest_mismatch"


class NotCancellableError(SessionsError):
    """Octets have flowed, or it has ended."""

    code = "not_cancellable"


class SigningKeyDamagedError(SessionsError):
    """The key file that signs packages and records cannot be used."""

    code = "session_signing_key_damaged"


class TooManyDisputesError(SessionsError):
    """There are as many disputes of one session as anybody can look into."""

    code = "too_many_disputes"


class WifiUnknownError(SessionsError):
    """Nobody could say whether the request came over WiFi, so it is not taken for it."""

    code = "wifi_unknown"
