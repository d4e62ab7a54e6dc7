"""The subject and reason codes of SGP.22 (5.2.6) that servers return when they refuse a function."""

from enum import Enum
from typing import Final

from kswifi.rsp.errors import (
    CertificateExpiredError,
    CertificateRefusedError,
    RspError,
    UnknownCertificateIssuerError,
)


class Status(Enum):
    """A subject code, a reason code, and a text for the log and the answer's message."""

    # Any function (5.2.6): the request does not conform to the binding
    MALFORMED = ("1.3.1", "2.1", "the request is malformed")
    ELEMENT_MISSING = ("1.3.1", "2.2", "a mandatory element is missing")
    VERSION_UNSUPPORTED = ("1.3.2", "3.1", "the protocol's version is not supported")
    EUICC_REFUSED = ("8.1", "4.2", "the card reported an error")
    # ES9+.InitiateAuthentication (5.6.1)
    SMDP_ADDRESS_INVALID = ("8.8.1", "3.8", "the address is not this server's")
    CI_KEY_UNSUPPORTED = ("8.8.2", "3.1", "none of the card's CI keys for signing is trusted here")
    SVN_UNSUPPORTED = ("8.8.3", "3.1", "the card's version of SGP.22 is not supported")
    NO_CERTIFICATE_FOR_CI = ("8.8.4", "3.7", "no certificate here is under a CI key that the card verifies")
    # ES9+.AuthenticateClient (5.6.3)
    TRANSACTION_UNKNOWN = ("8.10.1", "3.9", "the transaction is unknown")
    EUM_CERTIFICATE_INVALID = ("8.1.2", "6.1", "the EUM's certificate is invalid")
    EUM_CERTIFICATE_EXPIRED = ("8.1.2", "6.3", "the EUM's certificate has expired")
    EUICC_CERTIFICATE_INVALID = ("8.1.3", "6.1", "the card's certificate is invalid")
    EUICC_CERTIFICATE_EXPIRED = ("8.1.3", "6.3", "the card's certificate has expired")
    CI_UNKNOWN = ("8.11.1", "3.9", "the CI is unknown")
    EUICC_SIGNATURE_INVALID = ("8.1", "6.1", "the card's signature or challenge is wrong")
    MATCHING_ID_REFUSED = ("8.2.6", "3.8", "the MatchingID is refused")
    EID_MISMATCH = ("8.1.1", "3.8", "the profile is meant for another card")
    PROFILE_NOT_RELEASED = ("8.2", "1.2", "the profile is not released yet")
    ORDER_EXPIRED = ("8.8.5", "4.10", "the download order has expired")
    DOWNLOAD_RETRIES_EXCEEDED = ("8.8.5", "6.4", "the download was tried too often")
    NOT_ELIGIBLE = ("8.2.5", "4.3", "no eligible profile for this card")
    NO_MEMORY = ("8.1", "4.8", "the card has not enough memory")
    # ES9+.GetBoundProfilePackage (5.6.2)
    CONFIRMATION_CODE_MISSING = ("8.2.7", "2.2", "the confirmation code is missing")
    CONFIRMATION_CODE_REFUSED = ("8.2.7", "3.8", "the confirmation code is wrong")
    CONFIRMATION_CODE_RETRIES_EXCEEDED = ("8.2.7", "6.4", "the confirmation code was tried too often")
    BOUND_PACKAGE_UNAVAILABLE = ("8.2", "3.7", "the bound profile package is not available any more")
    # ES9+.CancelSession (5.6.5)
    SMDP_OID_INVALID = ("8.8", "3.10", "the object identifier is not this server's")
    # Reported to the operator for a cancelled download (3.1.3)
    CANCELLED_BY_USER = ("8.8.5", "3.8", "the end user rejected the download")
    CANCELLED_BY_RULES = ("8.2.8", "1.2", "the card does not allow the profile's policy rules")
    CANCELLED_FOR_METADATA = ("8.2.9", "3.11", "the metadata is not what was shown before")
    CANCELLED_WHILE_LOADING = ("8.2.10", "4.2", "the card could not load the bound profile package")
    CANCELLED_UNDEFINED = ("8", "4.2", "the download was cancelled")
    # Refusals over ES2+ (5.3)
    REQUESTER_UNKNOWN = ("1.1", "1.1", "the function's requester is unknown")
    ICCID_UNKNOWN = ("8.2.1", "3.9", "there is no such profile")
    ICCID_IN_USE = ("8.2.1", "3.3", "the profile is not available")
    ICCID_INVALID_TRANSITION = ("8.2.1", "3.5", "the profile's state does not allow it")
    PROFILE_TYPE_UNKNOWN = ("8.2.5", "3.9", "there is no such profile type")
    PROFILE_TYPE_USED_UP = ("8.2.5", "3.7", "no profile of this type is left")
    PROFILE_TYPE_MISMATCH = ("8.2.5", "3.8", "the profile is of another type")
    EID_MISSING = ("8.1.1", "2.2", "the order needs an EID")
    EID_ASSOCIATED = ("8.1.1", "3.10", "the order is for another EID")
    MATCHING_ID_INVALID = ("8.2.6", "2.1", "the MatchingID is not valid")
    MATCHING_ID_IN_USE = ("8.2.6", "3.3", "the MatchingID is in use")
    MATCHING_ID_ASSOCIATED = ("8.2.6", "3.10", "the order has another MatchingID")
    SMDS_INACCESSIBLE = ("8.9", "5.1", "the SM-DS cannot be reached")

    @property
    def subject_code(self) -> str:
        """Return the subject, an element in the list of 5.2.6.1."""
        return self.value[0]

    @property
    def reason_code(self) -> str:
        """Return the reason, an element in the list of 5.2.6.2."""
        return self.value[1]

    @property
    def words(self) -> str:
        """Return the text."""
        return self.value[2]


class RspRefusedError(RspError):
    """A provisioning function is refused: its answer is Failed with these codes."""

    code = "rsp_refused"

    def __init__(self, status: Status, detail: str | None = None) -> None:
        super().__init__(detail or status.words, subject_code=status.subject_code, reason_code=status.reason_code)
        self.status = status


_EXPIRED: Final = {"eum": Status.EUM_CERTIFICATE_EXPIRED, "euicc": Status.EUICC_CERTIFICATE_EXPIRED}
_INVALID: Final = {"eum": Status.EUM_CERTIFICATE_INVALID, "euicc": Status.EUICC_CERTIFICATE_INVALID}


def status_of_certificate(error: CertificateRefusedError) -> Status:
    """Return the status with which a server refuses a card's certificates."""
    if isinstance(error, UnknownCertificateIssuerError):
        return Status.CI_UNKNOWN
    table = _EXPIRED if isinstance(error, CertificateExpiredError) else _INVALID
    # A fault above the EUM certificate is reported for the EUM certificate, with which the chain begins.
    return table.get(error.role, table["eum"])
