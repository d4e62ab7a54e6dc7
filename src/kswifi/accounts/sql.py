"""The tables of accounts."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, String, Table

from kswifi.database.engine import metadata
from kswifi.database.types import UtcDateTime, UuidText

user_account: Final = Table(
    "user_account",
    metadata,
    Column("user_id", UuidText, primary_key=True),
    Column("phone_number", String(16), unique=True),
    Column("email", String(254), unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("recovery_code_hash", LargeBinary(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    # The mark (keyed digest) of the phone number that the user has verified (see phone_verification).
    Column("phone_mark", String(64), index=True, unique=True),
    # When a code that was sent to the phone number or email address was confirmed; NULL: not proved.
    Column("identifier_proved_at", UtcDateTime),
    # Grows with every change of the password, recovery, and sign-out everywhere: device cookies and unfinished
    # sign-ins of an earlier generation are invalid.
    Column("credential_generation", Integer, nullable=False, server_default="0"),
    # The last change of the password, the recovery code or the identifier; NULL: none since the sign-up.
    Column("credentials_changed_at", UtcDateTime),
    CheckConstraint("(phone_number IS NULL) <> (email IS NULL)", name="one_identifier"),
)

login_session: Final = Table(
    "login_session",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("user_id", ForeignKey(user_account.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    # Lets the owner recognise the device: never an address, never the whole User-Agent.
    Column("browser", String(40)),
    Column("network", String(64)),
)

passkey: Final = Table(
    "passkey",
    metadata,
    Column("passkey_id", UuidText, primary_key=True),
    Column("user_id", ForeignKey(user_account.c.user_id, ondelete="CASCADE"), nullable=False, index=True),
    Column("credential_id", LargeBinary(1023), nullable=False, unique=True),
    Column("public_key", LargeBinary(2048), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

identifier_proof: Final = Table(
    "identifier_proof",
    metadata,
    Column("proof_id", UuidText, primary_key=True),
    Column("identifier", String(254), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("confirmed_at", UtcDateTime),
    Column("used_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
"""Codes sent to phone numbers and email addresses, so that their owners can prove that they receive messages there.
"""

# The user of a sign-up challenge does not exist yet.
passkey_challenge: Final = Table(
    "passkey_challenge",
    metadata,
    Column("challenge_id", String(32), primary_key=True),
    Column("challenge", LargeBinary(32), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("user_id", UuidText, index=True),
    Column("identifier", String(254)),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
