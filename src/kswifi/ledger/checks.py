"""Checks of identifiers, texts and numbers, made when a command is built."""

from typing import Final

from kswifi.ledger.errors import InvalidCommandError

ID_LIMIT: Final = 320
"""Characters of an identifier; a Diameter Session-Id with a suffix fits."""


def check_ids(*ids: str) -> None:
    """Refuse an identifier that is empty, too long or not valid Unicode text.

    Raises:
        InvalidCommandError: an identifier is not allowed.
    """
    for identifier in ids:
        if not identifier or len(identifier) > ID_LIMIT or not identifier.isascii():
            check_text("identifier", identifier, ID_LIMIT)
            if not identifier:
                raise InvalidCommandError("an identifier is empty")


def check_text(name: str, text: str, limit: int) -> None:
    """Refuse a text of more than ``limit`` characters, or one that UTF-8 cannot encode.

    Raises:
        InvalidCommandError: the text is not allowed.
    """
    if len(text) > limit:
        raise InvalidCommandError(f"{name} has {len(text)} characters; {limit} are allowed", limit=limit)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidCommandError(f"{name} cannot be written as UTF-8") from None


def check_number(name: str, number: int, least: int, most: int) -> None:
    """Refuse a number outside of ``least``..``most``.

    Raises:
        InvalidCommandError: the number is out of range.
    """
    if not least <= number <= most:
        raise InvalidCommandError(f"{name} is {number}; {least} to {most} are allowed", **{name: number})
