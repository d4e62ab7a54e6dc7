"""Supply: lines that data providers serve, their orders and counters, and grants that pay for bundles."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"

_OPTIONAL: Final = ("iccid VARCHAR(20)", "imsi VARCHAR(15)", "matching_id VARCHAR(40)", "sealed_keys BLOB")
"""The columns of ``esim`` that a data provider's line has no value for."""


def upgrade() -> None:
    """Create the tables, and let lines be without numbers and keys."""
    _make_optional()
    op.add_column("esim", sa.Column("kind", sa.String(16), server_default="card", nullable=False))
    op.add_column("free_grant", sa.Column("bundle_kobo", sa.BigInteger(), nullable=True))
    op.create_table(
        "supply_notice",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("dedupe_key", sa.String(128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "dedupe_key", name="pk_supply_notice"),
    )
    op.create_index("ix_supply_notice_at", "supply_notice", ["at"])
    op.create_table(
        "supply_offer",
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("network", sa.String(32), server_default="", nullable=False),
        sa.Column("bundle_id", sa.String(128), nullable=False),
        sa.Column("bundle_octets", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.Column("mapped_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "network", name="pk_supply_offer"),
    )
    op.create_table(
        "provider_line",
        sa.Column("line_id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("provider_ref", sa.String(128), nullable=True),
        sa.Column("iccid", sa.String(22), nullable=True),
        sa.Column("sealed_msisdn", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_installation", sa.LargeBinary(), nullable=True),
        sa.Column("network", sa.String(32), nullable=True),
        sa.Column("pauses", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("consent_at", sa.BigInteger(), nullable=True),
        sa.Column("wants_on", sa.Boolean(), nullable=False),
        sa.Column("used_up", sa.Boolean(), nullable=False),
        sa.Column("observed", sa.String(16), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("wanted_since", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["esim.esim_id"], name="fk_provider_line_line_id"),
        sa.PrimaryKeyConstraint("line_id", name="pk_provider_line"),
    )
    op.create_index(
        "ix_provider_line_next_try_at",
        "provider_line",
        ["next_try_at"],
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_index("ix_provider_line_provider_provider_ref", "provider_line", ["provider", "provider_ref"])
    op.create_table(
        "bundle_usage",
        sa.Column("line_id", sa.String(36), nullable=False),
        sa.Column("bundle_ref", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("used_octets", sa.BigInteger(), nullable=False),
        sa.Column("total_octets", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.Column("octets_per_second", sa.Float(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=True),
        sa.Column("next_look_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["line_id"], ["provider_line.line_id"], name="fk_bundle_usage_line_id"),
        sa.PrimaryKeyConstraint("line_id", "bundle_ref", name="pk_bundle_usage"),
    )
    op.create_index(
        "ix_bundle_usage_next_look_at",
        "bundle_usage",
        ["next_look_at"],
        sqlite_where=sa.text("next_look_at IS NOT NULL"),
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_table(
        "provider_order",
        sa.Column("reference", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("line_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("for_line", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("bundle_id", sa.String(128), nullable=False),
        sa.Column("bundle_octets", sa.BigInteger(), nullable=False),
        sa.Column("covers_octets", sa.BigInteger(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("cost_kobo", sa.BigInteger(), nullable=False),
        sa.Column("booked_kobo", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("words", sa.String(200), nullable=True),
        sa.Column("refusal", sa.String(32), nullable=True),
        sa.Column("provider_ref", sa.String(128), nullable=True),
        sa.Column("bundle_ref", sa.String(128), nullable=True),
        sa.Column("absent_looks", sa.Integer(), nullable=False),
        sa.Column("absent_since", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("wants_cancel", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("next_look_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["line_id"], ["provider_line.line_id"], name="fk_provider_order_line_id"),
        sa.PrimaryKeyConstraint("reference", name="pk_provider_order"),
    )
    op.create_index("ix_provider_order_line_id", "provider_order", ["line_id"])
    op.create_index(
        "ix_provider_order_next_look_at",
        "provider_order",
        ["next_look_at"],
        sqlite_where=sa.text("next_look_at IS NOT NULL"),
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_index("ix_provider_order_provider_provider_ref", "provider_order", ["provider", "provider_ref"])
    op.create_index("ix_provider_order_provider_state", "provider_order", ["provider", "state"])
    op.create_index("ix_provider_order_session_id", "provider_order", ["session_id"])


def _make_optional() -> None:
    """Remove NOT NULL from columns of ``esim``; in SQLite without rewriting the table, to which others refer.

    SQLite documents this way for constraints that do not affect the stored rows (lang_altertable.html, "making
    other kinds of table schema changes"): edit the text of the schema, and raise the schema's version.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        for column in _OPTIONAL:
            op.alter_column("esim", column.partition(" ")[0], nullable=True)
        return
    sql = str(connection.scalar(sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'esim'")))
    for column in _OPTIONAL:
        required = f"{column} NOT NULL"
        if sql.count(required) != 1:
            raise RuntimeError(f"the table esim is not as expected: {required}")
        sql = sql.replace(required, column)
    version = int(connection.scalar(sa.text("PRAGMA schema_version")) or 0)
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = 'esim'"), {"sql": sql}
    )
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = RESET"))
