"""Identifiers, passwords, recovery codes and tokens: pure rules, no I/O."""

import hashlib
import hmac
import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from kswifi.accounts.common_passwords import is_common
from kswifi.accounts.errors import InvalidIdentifierError, WeakPasswordError
from kswifi.kernel.pasted import SEPARATORS, clean_digits, clean_pasted

PASSWORD_LENGTHS: Final = range(12, 129)
RECOVERY_CODE_OCTETS: Final = 15
TOKEN_OCTETS: Final = 32

_NIGERIAN_MOBILE: Final = re.compile(r"[789][01]\d{8}")
_E164: Final = re.compile(r"\+[1-9]\d{7,14}")
_EMAIL: Final = re.compile(
    r"(?=.{3,254}$)(?=.{1,64}@)[a-z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Crockford's base 32 leaves out letters that are easily misread: I, L, O and U.
_CROCKFORD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD: Final = str.maketrans("ILO", "110")


_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})

Digest = Callable[[str, str], bytes]
"""Computes a keyed digest (32 octets) of a value for a purpose."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """The phone number or email address that an account signs in with; exactly one is set, in its normal form."""

    phone_number: str | None = None
    email: str | None = None

    def __str__(self) -> str:
        return self.phone_number or self.email or ""


@dataclass(frozen=True, slots=True)
class User:
    """A registered person."""

    user_id: str
    phone_number: str | None
    email: str | None
    created_at: datetime
    phone_verified: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """A new LoginSession. ``token`` goes into the cookie, ``csrf_token`` into the page; neither is stored.

    ``device_cookie`` also goes into a cookie: at the next sign-in it shows that this browser has signed in before.
    """

    user: User
    token: str
    csrf_token: str
    expires_at: datetime
    device_cookie: str


@dataclass(frozen=True, slots=True)
class Registration:
    """A new account with its first LoginSession. ``recovery_code`` is shown only once."""

    login: Login
    recovery_code: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovered account: its next recovery code (shown only once), and a device cookie for the next sign-in."""

    recovery_code: str
    device_cookie: str


@dataclass(frozen=True, slots=True)
class Client:
    """The browser or app that signs in.

    ``browser`` (the family of the user agent) and ``network`` (a label, see
    ``kernel.network_addresses.network_label``) let the owner recognise the device in the list of LoginSessions.
    ``device_cookie`` is the cookie of an earlier sign-in, or empty.
    """

    browser: str | None = None
    network: str | None = None
    device_cookie: str = ""


UNKNOWN_CLIENT: Final = Client()


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A LoginSession as its owner sees it. ``login_id`` identifies it and is not a secret."""

    login_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    browser: str | None
    network: str | None


class ChallengePurpose(StrEnum):
    """The purpose of a passkey challenge; a challenge is valid for this purpose only."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    ADD = "add"
    STAFF_ENROL = "staff_enrol"
    STAFF_SIGN_IN = "staff_sign_in"


@dataclass(frozen=True, slots=True)
class PasskeyOptions:
    """The options for a browser to make or use a passkey; ``options`` has the form of WebAuthn's JSON types."""

    challenge_id: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PasskeyRecord:
    """A passkey as its owner sees it."""

    passkey_id: str
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The user and LoginSession of a request, and the CSRF token that the request must carry."""

    user: User
    csrf_token: str
    expires_at: datetime
    login_id: str


def parse_identifier(text: str) -> Identifier:
    """Return the normal form of a phone number (E.164) or an email address (lower case).

    Nigerian numbers are accepted in their usual spellings: 0803 123 4567, 234803..., +234 (0) 803..., 803....
    Numbers of other countries start with +.

    Raises:
        InvalidIdentifierError: it is neither.
    """
    text = clean_pasted(text)
    if "@" in text:
        email = text.lower()
        local = email.partition("@")[0]
        if _EMAIL.fullmatch(email) and ".." not in local and local.strip(".") == local:
            return Identifier(email=email)
        raise InvalidIdentifierError("this is not an email address")
    return Identifier(phone_number=_parse_phone_number(text))


def _parse_phone_number(text: str) -> str:
    number = SEPARATORS.sub("", text)
    if not number.isascii():
        raise InvalidIdentifierError("write the phone number with the digits 0 to 9")
    national = number.removeprefix("+234").removeprefix("00234") if number[:1] in ("+", "0") else number
    if national == number:
        national = number.removeprefix("234") if len(number) > 11 else number
    national = national.removeprefix("0")
    if (not number.startswith("+") or number.startswith("+234")) and _NIGERIAN_MOBILE.fullmatch(national):
        return f"+234{national}"
    if _E164.fullmatch(number) and not number.startswith("+234"):
        return number
    raise InvalidIdentifierError(
        "write a Nigerian mobile number like 0803 123 4567, one of another country with + and its code, "
        "or an email address"
    )


def canonical_identifier(identifier: str) -> str:
    """Return the form of a normal identifier that is used to count attempts per person; never used to sign in.

    Mail to ``ada+shop@example.ng`` reaches the mailbox ``ada@example.ng`` (subaddressing, RFC 5233). Gmail ignores
    dots in the local part, and has two domains for each mailbox. A phone number is its own canonical form.
    """
    local, at, domain = identifier.partition("@")
    if not at:
        return identifier
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def check_password(password: str, identifier: Identifier) -> None:
    """Refuse a password that is easy to guess; there are no composition rules (NIST SP 800-63B, 3.1.1.2).

    Raises:
        WeakPasswordError: not 12 to 128 characters, a common password, one or two characters repeated, or the
            account's own phone number or address.
    """
    if len(password) not in PASSWORD_LENGTHS:
        raise WeakPasswordError(
            f"a password has {PASSWORD_LENGTHS[0]} to {PASSWORD_LENGTHS[-1]} characters",
            least=PASSWORD_LENGTHS[0],
            most=PASSWORD_LENGTHS[-1],
        )
    plain = password.casefold()
    own = {str(identifier), str(identifier).removeprefix("+"), "0" + str(identifier).removeprefix("+234")}
    if identifier.email:
        own.add(identifier.email.partition("@")[0])
    if is_common(password) or len(set(plain)) <= 2 or plain in own:
        raise WeakPasswordError("this password would be guessed at once: choose another")


def new_recovery_code(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new recovery code: 120 random bits as six groups of four characters."""
    text = b32encode(random_bytes(RECOVERY_CODE_OCTETS)).decode().translate(_CROCKFORD)
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def hash_recovery_code(code: str) -> bytes:
    """Return the stored hash of a recovery code, for any way of typing it.

    A fast hash is enough, because the code has 120 random bits.
    """
    plain = clean_digits(code).upper().translate(_MISREAD)
    return hashlib.sha256(b"kswifi recovery code " + plain.encode("utf-8", "replace")).digest()


def new_token(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new opaque LoginSession token of 256 random bits."""
    return urlsafe_b64encode(random_bytes(TOKEN_OCTETS)).rstrip(b"=").decode()


def hash_token(token: str) -> bytes:
    """Return the stored hash of a token, so that a copy of the database does not contain usable tokens."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def login_id(token_hash: bytes) -> str:
    """Return the id of a LoginSession, derived from the stored hash of its token; the id is not a secret."""
    return hashlib.sha256(b"kswifi login id " + token_hash).hexdigest()[:32]


def csrf_token(token: str) -> str:
    """Return the CSRF token of a LoginSession; only a page that can read our answers can send it.

    It is derived from the token in the cookie, so it is valid for this LoginSession only and is not stored.
    """
    digest = hmac.digest(token.encode("utf-8", "replace"), b"kswifi csrf", "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
