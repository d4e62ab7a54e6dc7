"""Codes and the states of a verification: pure rules, no I/O."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kswifi.accounts.errors import InvalidIdentifierError
from kswifi.accounts.model import Digest, parse_identifier
from kswifi.accounts.rates import Rate
from kswifi.phone_verification.errors import NOT_A_PHONE_NUMBER
from kswifi.phone_verification.ports import SendRefused, SendResult, Sent

CODE_DIGITS: Final = 6
CODE_LIFETIME: Final = timedelta(minutes=10)
TRIES_LIMIT: Final = 5
"""The attempts for one code: 5 guesses of 10^6 possible codes."""

# A message costs the operator money, and the number may belong to a person who did not request it.
CODES_BY_ACCOUNT: Final = Rate(6, timedelta(hours=24))
CODES_BY_ADDRESS: Final = Rate(30, timedelta(hours=1))


class SendState(StrEnum):
    """The states of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    """Stored before the provider is called. After a crash in this state it is unknown whether the message was sent.
    """
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class CodeCounts(Counter[tuple[str, str]]):
    """How many messages with a code had which outcome since the start, by provider and SendState."""


@dataclass(frozen=True, slots=True)
class PhoneVerification:
    """One requested code, as its user sees it."""

    verification_id: str
    state: SendState
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LabMessage:
    """A message in the lab's outbox, which is not sent over any network."""

    to: str
    words: str
    at: datetime


def parse_phone_number(text: str) -> str:
    """Return a phone number in E.164; a Nigerian one may have its usual spelling (0803 123 4567).

    Raises:
        NOT_A_PHONE_NUMBER: it is none.
    """
    try:
        number = parse_identifier(text).phone_number
    except InvalidIdentifierError as error:
        raise NOT_A_PHONE_NUMBER(error.message) from error
    if number is None:
        raise NOT_A_PHONE_NUMBER("a code goes to a phone number, not to an email address")
    return number


def code_of(digest: Digest, verification_id: str, phone_number: str, salt: str) -> str:
    """Return the code of a verification. It is derived with the installation's key and never stored."""
    value = int.from_bytes(digest("phone code", f"{verification_id} {phone_number} {salt}"))
    return f"{value % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def state_of(result: SendResult) -> SendState:
    """Return the state of a message after a sender's result."""
    match result:
        case Sent():
            return SendState.SENT
        case SendRefused(try_later=True):
            return SendState.WAITING
        case SendRefused():
            return SendState.REFUSED
        case _:
            return SendState.UNKNOWN


def words_of(code: str) -> str:
    """Return the text of the message, in characters that fit one SMS (GSM 7 bit, 3GPP TS 23.038, 6.2.1)."""
    minutes = CODE_LIFETIME // timedelta(minutes=1)
    return f"Your KSWiFi code is {code}. It holds for {minutes} minutes. Tell it to nobody."
