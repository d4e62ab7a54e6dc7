"""The KYC level of an account: how far its owner has been identified. The operator sets it; the default is 0.

The operator defines what each level means (for example 1: a verified phone, 2: a NIN, 3: seen in person).
"""

from typing import Final

from sqlalchemy import Column, Connection, ForeignKey, Integer, Table, select

from kswifi.accounts.sql import user_account
from kswifi.database.dialect import insert
from kswifi.database.engine import metadata, transaction_instant
from kswifi.database.types import UtcDateTime, UuidText

account_kyc: Final = Table(
    "account_kyc",
    metadata,
    Column("user_id", UuidText, ForeignKey(user_account.c.user_id), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)


def kyc_level(connection: Connection, user_id: str) -> int:
    """Return the KYC level of an account."""
    return int(connection.scalar(select(account_kyc.c.level).where(account_kyc.c.user_id == user_id)) or 0)


def set_kyc_level(connection: Connection, user_id: str, level: int) -> None:
    """Set the KYC level of an account."""
    values = {"level": level, "set_at": transaction_instant(connection)}
    connection.execute(
        insert(account_kyc)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
