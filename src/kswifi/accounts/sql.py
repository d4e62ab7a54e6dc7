"""The accounts' tables."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, LargeBinary, String, Table

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
    Column("created_at", UtcDateTime, nullable=False),
    # The keyed digest of a number that they have shown to be theirs (see phone_verification).
    Column("phone_mark", String(64), index=True, unique=True),
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

# The user of a challenge to sign up does not exist yet.
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
