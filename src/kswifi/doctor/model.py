"""Findings of the checks, and the exit status that follows from them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """The result of a check. The numbers are the exit statuses that monitoring plugins use (Nagios)."""

    OK = 0
    WARNING = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: its subject, its verdict, and one sentence for the operator."""

    subject: str
    verdict: Verdict
    words: str


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 0 if all is well, 1 if the worst finding is a warning, 2 if a check failed."""
    return int(max((it.verdict for it in findings), default=Verdict.OK))


def below(value: float, *, warn: float, fail: float) -> Verdict:
    """Judge a value that must not become small: ``fail`` is below ``warn``."""
    if value < fail:
        return Verdict.FAILED
    return Verdict.WARNING if value < warn else Verdict.OK


def above(value: float, *, warn: float, fail: float) -> Verdict:
    """Judge a value that must not become large: ``fail`` is above ``warn``."""
    if value > fail:
        return Verdict.FAILED
    return Verdict.WARNING if value > warn else Verdict.OK
