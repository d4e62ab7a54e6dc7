"""The root of every capability's errors."""

from typing import ClassVar


class KswifiError(Exception):
    """A refusal, with a message for people and typed facts for programs.

    Each subclass has a stable ``code``. The edges (HTTP, Diameter, CLI) map the error to their own form.

    Args:
        message: one sentence for people, without a secret.
        facts: values by name. They are shown and logged, so they never hold a secret.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, **facts: str | int | bool | None) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
