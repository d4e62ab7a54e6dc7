"""The root of every capability's errors."""

from typing import ClassVar


class KswifiError(Exception):
    """Something refused, said once in words for people and once in facts for programs.

    A capability's error carries a stable ``code`` and its facts; the edges (HTTP, Diameter) map it.
    Facts never hold a secret: they are shown and logged.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, **facts: str | int | bool | None) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
