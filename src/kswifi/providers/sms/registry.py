"""The SMS senders that can be named by ``KSWIFI_SMS_PROVIDER``.

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
    """What the settings ``KSWIFI_SMS_*`` say: empty or None where a setting is not set."""

    api_key: str = ""
    username: str | None = None
    sender: str | None = None
    url: str | None = None


SENDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "termii": ("api_key", "sender"),
    "africas_talking": ("api_key", "username"),
}
"""The name of each sender, which is its module's, and the options that it cannot do without."""


def missing_option(name: str, options: SenderOptions) -> str | None:
    """Return the first option that the named sender needs and that is not set; None if it has all."""
    return next((option for option in SENDERS[name] if not getattr(options, option)), None)


def open_sender(name: str, options: SenderOptions) -> CodeSender:
    """Return the named sender, ready to send. Its module is imported only now: start-up does not pay for others.

    Raises:
        KeyError: there is no sender of that name.
    """
    if name not in SENDERS:
        raise KeyError(name)
    sender: CodeSender = import_module(f"kswifi.providers.sms.{name}").open_sender(options)
    return sender
