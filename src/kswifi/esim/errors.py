"""What this capability refuses."""

from kswifi.kernel.errors import KswifiError


class EsimError(KswifiError):
    """Anything about an eSIM that is refused."""

    code = "esim_refused"


class UnknownEsimError(EsimError):
    """There is no such eSIM, or it belongs to somebody else: both look the same from outside."""

    code = "unknown_esim"


class NumbersUsedUpError(EsimError):
    """The range that the operator set has no number left."""

    code = "esim_numbers_used_up"


class IllegalProfileTransitionError(EsimError):
    """The profile's state machine does not list this event for this state."""

    code = "illegal_profile_transition"


class SubscriberKeysDamagedError(EsimError):
    """A subscriber's sealed keys cannot be opened: another key file, or a changed row."""

    code = "subscriber_keys_damaged"


class UnknownSubscriberError(EsimError):
    """No profile has this IMSI (TS 29.272: DIAMETER_ERROR_USER_UNKNOWN)."""

    code = "unknown_subscriber"


class ResynchronizationRefusedError(EsimError):
    """AUTS was not made by this subscriber's card (TS 29.272: DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE)."""

    code = "resynchronization_refused"


class SequenceNumbersUsedUpError(EsimError):
    """The 43 bits of SEQ are spent: the card has to be replaced (TS 33.102, C.3.2)."""

    code = "sequence_numbers_used_up"


class IllegalRspTransitionError(EsimError):
    """The RspSession's state machine does not list this event for this state."""

    code = "illegal_rsp_transition"


class PackageRefusedError(EsimError):
    """A file of the folder of profile packages that cannot be served."""

    code = "profile_package_refused"


class UnknownOperatorError(EsimError):
    """There is no operator of that name."""

    code = "unknown_operator"


class OperatorRefusedError(EsimError):
    """What was said about an operator, or about a profile for its stock, cannot be used."""

    code = "operator_refused"


class OwnCoreRefusedError(EsimError):
    """Subscribers cannot be handed to the operator's core this way."""

    code = "own_core_refused"


class LineStockError(EsimError):
    """Lines for another's SM-DP+ cannot be made or given out this way."""

    code = "line_stock_refused"
