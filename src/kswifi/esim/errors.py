"""Errors of the eSIM capability."""

from kswifi.kernel.errors import KswifiError


class EsimError(KswifiError):
    """Base class of the errors of the eSIM capability."""

    code = "esim_refused"


class UnknownEsimError(EsimError):
    """The eSIM does not exist or belongs to another user; callers cannot tell the two cases apart."""

    code = "unknown_esim"


class NumbersUsedUpError(EsimError):
    """The operator's number range, or the line stock, has no number left."""

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
    """AUTS is not valid for this subscriber (TS 29.272: DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE)."""

    code = "resynchronization_refused"


class SequenceNumbersUsedUpError(EsimError):
    """The 43 bits of SEQ are used up: the card must be replaced (TS 33.102, C.3.2)."""

    code = "sequence_numbers_used_up"


class IllegalRspTransitionError(EsimError):
    """The RspSession's state machine does not list this event for this state."""

    code = "illegal_rsp_transition"


class PackageRefusedError(EsimError):
    """A profile package cannot be served."""

    code = "profile_package_refused"


class UnknownOperatorError(EsimError):
    """No operator has this name."""

    code = "unknown_operator"


class OperatorRefusedError(EsimError):
    """The data given for an operator, or for a profile of its stock, cannot be used."""

    code = "operator_refused"


class OwnCoreRefusedError(EsimError):
    """Subscribers cannot be exported to the operator's own core network with these arguments."""

    code = "own_core_refused"


class LineStockError(EsimError):
    """Lines for an external SM-DP+ cannot be made, exported or released with these arguments."""

    code = "line_stock_refused"


class NoCardNumbersError(KswifiError):
    """A line that a data provider serves has no ICCID, IMSI or MatchingID here."""

    code = "no_card_numbers"
