"""The double-entry book of the operator's money, and the triggers that protect its entries."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_FINAL = (
    ("book_entry_is_final", "UPDATE", "book_entry"),
    ("book_entry_is_kept", "DELETE", "book_entry"),
    ("book_line_is_final", "UPDATE", "book_line"),
    ("book_line_is_kept", "DELETE", "book_line"),
)

_SQLITE_GUARDS = (
    """
    CREATE TRIGGER book_entry_sums_to_zero BEFORE INSERT ON book_entry BEGIN
      SELECT RAISE(ABORT, 'the lines of a book entry sum to zero')
      WHERE (SELECT count(*) < 2 OR sum(amount_kobo) <> 0 FROM book_line WHERE number = NEW.number);
    END
    """,
    """
    CREATE TRIGGER book_line_of_open_entry BEFORE INSERT ON book_line BEGIN
      SELECT RAISE(ABORT, 'a book entry takes no further line')
      WHERE EXISTS (SELECT 1 FROM book_entry WHERE number = NEW.number);
    END
    """,
    *(
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, 'the book is append-only'); END"
        for name, what, table in _FINAL
    ),
)


# The order of writing is that of SQLite: lines first, under the deferred foreign key, then the entry.
_POSTGRESQL_GUARDS = (
    """
    CREATE FUNCTION book_entry_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT count(*) < 2 OR sum(amount_kobo) <> 0 FROM book_line WHERE number = NEW.number) THEN
        RAISE EXCEPTION 'the lines of a book entry sum to zero' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION book_line_of_open_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM book_entry WHERE number = NEW.number) THEN
        RAISE EXCEPTION 'a book entry takes no further line' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION book_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'the book is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER book_entry_sums_to_zero BEFORE INSERT ON book_entry
      FOR EACH ROW EXECUTE FUNCTION book_entry_sums_to_zero()
    """,
    """
    CREATE TRIGGER book_line_of_open_entry BEFORE INSERT ON book_line
      FOR EACH ROW EXECUTE FUNCTION book_line_of_open_entry()
    """,
    *(
        f"CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION book_is_append_only()"
        for name, what, table in _FINAL
    ),
)
_GUARDS = {"sqlite": _SQLITE_GUARDS, "postgresql": _POSTGRESQL_GUARDS}
# SQLite would store a fraction in an integer column.
_IS_WHOLE = {"sqlite": "typeof(amount_kobo) = 'integer' AND ", "postgresql": ""}


def upgrade() -> None:
    """Create the tables and their triggers."""
    dialect = op.get_bind().dialect.name
    op.create_table(
        "book_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_book_entry"),
        sa.UniqueConstraint("reference", name="uq_book_entry_reference"),
    )
    op.create_table(
        "book_line",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("amount_kobo", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", "account", name="pk_book_line"),
        sa.ForeignKeyConstraint(
            ["number"],
            ["book_entry.number"],
            name="fk_book_line_number",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.CheckConstraint(
            _IS_WHOLE[dialect] + "amount_kobo <> 0 AND abs(amount_kobo) <= 1000000000000000",
            name="ck_book_line_exact_kobo",
        ),
    )
    op.create_index("ix_book_line_account", "book_line", ["account"])
    for guard in _GUARDS[dialect]:
        op.execute(guard)
