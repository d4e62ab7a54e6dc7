"""What the card as a thing in a directory can refuse; what it refuses on its wire are status words."""

from kswifi.kernel.errors import KswifiError
from kswifi.rsp.saip.response import PeStatus


class CardMissingError(KswifiError):
    """The directory has no card."""

    code = "card_missing"


class CardExistsError(KswifiError):
    """The directory has a card already; a card is never overwritten."""

    code = "card_exists"


class CardBusyError(KswifiError):
    """Another process has the card in its hands."""

    code = "card_busy"


class CardDamagedError(KswifiError):
    """The card's state is not what was written; only a backup helps."""

    code = "card_damaged"


class CardCredentialsError(KswifiError):
    """The certificates and keys for a new card do not fit together, or not the card."""

    code = "card_credentials_refused"


class ProfileRefusedError(KswifiError):
    """A profile package was not installed, and nothing of it stays; the fact ``reason`` says why.

    Reasons: ``malformed``, ``unsupported``, ``already_installed``, ``no_memory``, ``storage_failed``.
    ``status`` and ``element`` are what the EUICCResponse says of it: the number of the profile element at fault,
    None where it is the header or the package as a whole.
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
