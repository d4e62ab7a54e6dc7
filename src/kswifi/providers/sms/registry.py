"""The registry of SMS senders, by their names in ``KSWIFI_SMS_PROVIDER``.

To add one: write a module in this folder with ``open_sender(options: SenderOptions) -> CodeSender``, add its line
to ``SENDERS``, and add it to the contract suite (`tests/contract/test_code_senders.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from kswifi.phone_verification.ports import CodeSender


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """The values of the settings ``KSWIFI_SMS_*``; empty or None if not set."""

    api_key: str = ""
    username: str | None = None
    sender: str | None = None
    url: str | None = None


SENDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "termii": ("api_key", "sender"),
    "africas_talking": ("api_key", "username"),
}
"""The name of each sender (the name of its module), and the options that it requires."""


def missing_option(name: str, options: SenderOptions) -> str | None:
    """Return the first required option of the named sender that is not set; None if all are set."""
    return next((option for option in SENDERS[name] if not getattr(options, option)), None)


def open_sender(name: str, options: SenderOptions) -> CodeSender:
    """Return the named sender, ready to send. Its module is imported on this call, which keeps the start quick.

    Raises:
        KeyError: there is no sender with this name.
    """
    if name not in SENDERS:
        raise KeyError(name)
    sender: CodeSender = import_module(f"kswifi.providers.sms.{name}").open_sender(options)
    return sender
