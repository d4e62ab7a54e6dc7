"""The registry of e-mail senders, by their names in ``KSWIFI_EMAIL_PROVIDER``.

To add one: write a module in this folder with ``open_sender(options: EmailOptions) -> CodeSender``, add its line to
``SENDERS``, and add it to the contract suite (`tests/contract/test_email_senders.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Final

from kswifi.phone_verification.ports import CodeSender


class SmtpSecurity(StrEnum):
    """The protection of the connection to the mail server."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """The values of the settings ``KSWIFI_EMAIL_*``; empty or None if not set."""

    sender: str = ""
    host: str = ""
    port: int = 587
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    username: str | None = None
    password: str = ""


SENDERS: Final[Mapping[str, tuple[str, ...]]] = {"smtp": ("host", "sender")}
"""The name of each sender (the name of its module), and the options that it requires."""


def missing_option(name: str, options: EmailOptions) -> str | None:
    """Return the first required option of the named sender that is not set; None if all are set."""
    return next((option for option in SENDERS[name] if not getattr(options, option)), None)


def open_sender(name: str, options: EmailOptions) -> CodeSender:
    """Return the named sender, ready to send.

    Raises:
        KeyError: there is no sender with this name.
    """
    if name not in SENDERS:
        raise KeyError(name)
    sender: CodeSender = import_module(f"kswifi.providers.email.{name}").open_sender(options)
    return sender
