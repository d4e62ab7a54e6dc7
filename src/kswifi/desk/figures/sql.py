"""The tables of the figures."""

from typing import Final

from sqlalchemy import Column, String, Table

from kswifi.database.dialect import ONE_TREE
from kswifi.database.engine import metadata
from kswifi.database.types import ExactInteger

figure_day: Final = Table(
    "figure_day",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("name", String(40), primary_key=True),
    # Empty for the whole, else KIND:NAME with the kind offer, budget, venue or reason.
    Column("dimension", String(120), primary_key=True),
    Column("value", ExactInteger, nullable=False),
    **ONE_TREE,
)
"""One figure of one local day: a count, octets or kobo."""

figure_position: Final = Table(
    "figure_position",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("position", ExactInteger, nullable=False),
)
"""How far each source was read: a sequence, a number, or an instant in Unix seconds."""
