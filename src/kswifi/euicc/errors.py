"""What the card as a thing in a directory can refuse; what it refuses on its wire are status words."""

from kswifi.kernel.errors import KswifiError


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


class ProfileRefusedError(KswifiError):
    """A profile package was not installed, and nothing of it stays; the fact ``reason`` says why.

    Reasons: ``malformed``, ``unsupported``, ``already_installed``, ``no_memory``, ``storage_failed``.
    """

    code = "profile_refused"

    def __init__(self, message: str, *, reason: str, **facts: str | int | bool | None) -> None:
        super().__init__(message, reason=reason, **facts)
        self.reason = reason
