"""Errors of the card's storage and of installing profiles; commands are refused by status words instead."""

from kswifi.kernel.errors import KswifiError
from kswifi.rsp.saip.response import PeStatus


class CardMissingError(KswifiError):
    """The directory has no card."""

    code = "card_missing"


class CardExistsError(KswifiError):
    """The directory has a card already; a card is never overwritten."""

    code = "card_exists"


class CardBusyError(KswifiError):
    """Another process uses the card."""

    code = "card_busy"


class CardDamagedError(KswifiError):
    """The stored state of the card is corrupt; it must be restored from a backup."""

    code = "card_damaged"


class CardCredentialsError(KswifiError):
    """The certificates and keys for a new card do not match each other, or do not match the card's EID."""

    code = "card_credentials_refused"


class ProfileRefusedError(KswifiError):
    """A profile package was not installed, and nothing of it was stored; ``reason`` is the cause.

    Reasons: ``malformed``, ``unsupported``, ``already_installed``, ``no_memory``, ``storage_failed``.
    ``status`` and ``element`` are for the EUICCResponse: ``element`` is the number of the faulty profile
    element, None if the fault is in the header or in the package as a whole.
    """

    code = "profile_refused"

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        status: PeStatus = PeStatus.INVALID_PARAMETER,
        element: int | None = None,
        **facts: str | int | bool | None,
    ) -> None:
        super().__init__(message, reason=reason, element=element, **facts)
        self.reason = reason
        self.status = status
        self.element = element
