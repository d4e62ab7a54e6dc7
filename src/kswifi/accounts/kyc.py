"""How far an account's owner has been identified: a level that the operator sets, 0 until then.

What a level stands for is the operator's to say (1: a verified phone, 2: a NIN, 3: seen in person, say).
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
    """Return an account's level."""
    return int(connection.scalar(select(account_kyc.c.level).where(account_kyc.c.user_id == user_id)) or 0)


def set_kyc_level(connection: Connection, user_id: str, level: int) -> None:
    """Set an account's level."""
    values = {"level": level, "set_at": transaction_instant(connection)}
    connection.execute(
        insert(account_kyc)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )
