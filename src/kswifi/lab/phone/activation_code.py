"""Activation codes, which a person types or a QR code holds (SGP.22, 4.1)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.pasted import clean_pasted

_FORMAT: Final = "1"
_MAX_CHARACTERS: Final = 255
_ADDRESS: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")


class ActivationCodeError(KswifiError):
    """The text is not an activation code."""

    code = "activation_code_invalid"


@dataclass(frozen=True, slots=True)
class ActivationCode:
    """A parsed activation code.

    Attributes:
        smdp_address: host of the SM-DP+, with a port if it is not the usual one.
        matching_id: which order; empty for the order that is kept for this card.
        smdp_oid: the object identifier that the server's certificate must have; None for any.
        confirmation_code_required: whether the user also needs a confirmation code.
    """

    smdp_address: str
    matching_id: str
    smdp_oid: str | None = None
    confirmation_code_required: bool = False

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.smdp_address):
            raise ActivationCodeError("an activation code names the address of a server", address=self.smdp_address)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``[LPA:]1$address$matching id[$oid[$1]]``; fields after these, of later versions, are ignored.

        Raises:
            ActivationCodeError: the text is not an activation code.
        """
        text = clean_pasted(text)
        if text.upper().startswith("LPA:"):
            text = text[4:]
        parts = text.split("$")
        if len(text) > _MAX_CHARACTERS or len(parts) < 3 or parts[0] != _FORMAT:
            raise ActivationCodeError("this is not an activation code: LPA:1$address$matching id")
        return cls(
            smdp_address=parts[1],
            matching_id=parts[2],
            smdp_oid=(parts[3] or None) if len(parts) > 3 else None,
            confirmation_code_required=len(parts) > 4 and parts[4] == "1",
        )
