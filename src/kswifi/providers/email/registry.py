"""The e-mail senders that can be named by ``KSWIFI_EMAIL_PROVIDER``.

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
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """What the settings ``KSWIFI_EMAIL_*`` say: empty or None where a setting is not set."""

    sender: str = ""
    host: str = ""
    port: int = 587
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    username: str | None = None
    password: str = ""


SENDERS: Final[Mapping[str, tuple[str, ...]]] = {"smtp": ("host", "sender")}
"""The name of each sender, which is its module's, and the options that it cannot do without."""


def missing_option(name: str, options: EmailOptions) -> str | None:
    """Return the first option that the named sender needs and that is not set; None if it has all."""
    return next((option for option in SENDERS[name] if not getattr(options, option)), None)


def open_sender(name: str, options: EmailOptions) -> CodeSender:
    """Return the named sender, ready to send.

    Raises:
        KeyError: there is no sender of that name.
    """
    if name not in SENDERS:
        raise KeyError(name)
    sender: CodeSender = import_module(f"kswifi.providers.email.{name}").open_sender(options)
    return sender
