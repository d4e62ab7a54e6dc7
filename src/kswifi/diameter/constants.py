"""The numbers of RFC 6733, RFC 8506, TS 32.299 and TS 29.272 that this code uses."""

from enum import IntEnum
from typing import Final

VENDOR_3GPP: Final = 10415
"""The Vendor-Id of 3GPP (TS 29.230, 4)."""

APPLICATION_BASE: Final = 0
APPLICATION_CREDIT_CONTROL: Final = 4
"""Diameter credit control (RFC 8506, 1.3); Gy uses it as it is (TS 32.299, 6.2)."""
APPLICATION_S6A: Final = 16777251
"""S6a and S6d (TS 29.272, 7.1.8)."""
APPLICATION_RELAY: Final = 0xFFFFFFFF
"""A relay serves every application (RFC 6733, 2.4)."""


class Command(IntEnum):
    """Command codes."""

    CAPABILITIES_EXCHANGE = 257
    RE_AUTH = 258
    CREDIT_CONTROL = 272
    ABORT_SESSION = 274
    DEVICE_WATCHDOG = 280
    DISCONNECT_PEER = 282
    AUTHENTICATION_INFORMATION = 318


class ResultCode(IntEnum):
    """Result-Code values (RFC 6733, 7.1; RFC 8506, 9)."""

    SUCCESS = 2001
    LIMITED_SUCCESS = 2002
    COMMAND_UNSUPPORTED = 3001
    UNABLE_TO_DELIVER = 3002
    REALM_NOT_SERVED = 3003
    TOO_BUSY = 3004
    APPLICATION_UNSUPPORTED = 3007
    INVALID_HEADER_BITS = 3008
    INVALID_AVP_BITS = 3009
    UNKNOWN_PEER = 3010
    END_USER_SERVICE_DENIED = 4010
    CREDIT_LIMIT_REACHED = 4012
    AVP_UNSUPPORTED = 5001
    UNKNOWN_SESSION_ID = 5002
    INVALID_AVP_VALUE = 5004
    MISSING_AVP = 5005
    AVP_OCCURS_TOO_MANY_TIMES = 5009
    NO_COMMON_APPLICATION = 5010
    UNSUPPORTED_VERSION = 5011
    UNABLE_TO_COMPLY = 5012
    INVALID_AVP_LENGTH = 5014
    INVALID_MESSAGE_LENGTH = 5015
    NO_COMMON_SECURITY = 5017
    USER_UNKNOWN = 5030
    RATING_FAILED = 5031


EXPERIMENTAL_USER_UNKNOWN: Final = 5001
"""DIAMETER_ERROR_USER_UNKNOWN of S6a (TS 29.272, 7.4.3.1), an Experimental-Result-Code of 3GPP."""


EXPERIMENTAL_AUTHENTICATION_DATA_UNAVAILABLE: Final = 4181
"""DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE of S6a (TS 29.272, 7.4.4.1): a transient failure."""


class DisconnectCause(IntEnum):
    """Disconnect-Cause (RFC 6733, 5.4.3)."""

    REBOOTING = 0
    BUSY = 1
    DO_NOT_WANT_TO_TALK_TO_YOU = 2


class CcRequestType(IntEnum):
    """CC-Request-Type (RFC 8506, 8.3)."""

    INITIAL = 1
    UPDATE = 2
    TERMINATION = 3
    EVENT = 4


class SubscriptionIdType(IntEnum):
    """Subscription-Id-Type (RFC 8506, 8.47)."""

    E164 = 0
    IMSI = 1
    SIP_URI = 2
    NAI = 3
    PRIVATE = 4


class FinalUnitAction(IntEnum):
    """Final-Unit-Action (RFC 8506, 8.35)."""

    TERMINATE = 0
    REDIRECT = 1
    RESTRICT_ACCESS = 2


class ReportingReason(IntEnum):
    """3GPP-Reporting-Reason (TS 32.299, 7.2.175)."""

    THRESHOLD = 0
    QUOTA_HOLDING_TIME = 1
    FINAL = 2
    QUOTA_EXHAUSTED = 3
    VALIDITY_TIME = 4
    OTHER_QUOTA_TYPE = 5
    RATING_CONDITION_CHANGE = 6
    FORCED_REAUTHORISATION = 7
    POOL_EXHAUSTED = 8
    UNUSED_QUOTA_TIMER = 9


class RequestedAction(IntEnum):
    """Requested-Action (RFC 8506, 8.41)."""

    DIRECT_DEBITING = 0
    REFUND_ACCOUNT = 1
    CHECK_BALANCE = 2
    PRICE_ENQUIRY = 3


class CcFailureHandling(IntEnum):
    """Credit-Control-Failure-Handling (RFC 8506, 8.14)."""

    TERMINATE = 0
    CONTINUE = 1
    RETRY_AND_TERMINATE = 2


class DirectDebitingFailureHandling(IntEnum):
    """Direct-Debiting-Failure-Handling (RFC 8506, 8.15)."""

    TERMINATE_OR_BUFFER = 0
    CONTINUE = 1


class CheckBalanceResult(IntEnum):
    """Check-Balance-Result (RFC 8506, 8.6)."""

    ENOUGH_CREDIT = 0
    NO_CREDIT = 1


class RedirectAddressType(IntEnum):
    """Redirect-Address-Type (RFC 8506, 8.38)."""

    IPV4 = 0
    IPV6 = 1
    URL = 2
    SIP_URI = 3


RE_AUTH_AUTHORIZE_ONLY: Final = 0
"""Re-Auth-Request-Type (RFC 6733, 8.12)."""
NAIRA: Final = 566
"""Currency-Code of the naira (ISO 4217)."""
MULTIPLE_SERVICES_SUPPORTED: Final = 1
"""Multiple-Services-Indicator (RFC 8506, 8.40)."""
NO_INBAND_SECURITY: Final = 0
"""Inband-Security-Id (RFC 6733, 6.10)."""
AUTH_SESSION_NO_STATE_MAINTAINED: Final = 1
"""Auth-Session-State of S6a (TS 29.272, 7.1.4)."""
TERMINATION_CAUSE_LOGOUT: Final = 1
"""Termination-Cause DIAMETER_LOGOUT (RFC 6733, 8.15)."""
SERVICE_CONTEXT_PS: Final = "32251@3gpp.org"
"""Service-Context-Id of packet-switched charging (TS 32.299, 7.1.12), without the optional release prefix."""
