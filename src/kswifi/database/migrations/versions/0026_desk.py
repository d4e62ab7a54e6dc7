"""The desk: audit trail, staff, goodwill, answers to disputes, frozen lines, and the timeline of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_FINAL = (("operator_action_is_final", "UPDATE"), ("operator_action_is_kept", "DELETE"))
_SQLITE_GUARDS = (
    *(
        f"CREATE TRIGGER {name} BEFORE {what} ON operator_action "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        for name, what in _FINAL
    ),
    """
    CREATE TRIGGER operator_action_follows BEFORE INSERT ON operator_action BEGIN
      SELECT RAISE(ABORT, 'an action follows the newest one')
      WHERE NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM operator_action);
    END
    """,
)
_POSTGRESQL_GUARDS = (
    """
    CREATE FUNCTION audit_trail_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE FUNCTION operator_action_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM operator_action) THEN
        RAISE EXCEPTION 'an action follows the newest one' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
      RETURN NEW;
    END $$
    """,
    *(
        f"CREATE TRIGGER {name} BEFORE {what} ON operator_action "
        "FOR EACH ROW EXECUTE FUNCTION audit_trail_is_append_only()"
        for name, what in _FINAL
    ),
    """
    CREATE TRIGGER operator_action_follows BEFORE INSERT ON operator_action
      FOR EACH ROW EXECUTE FUNCTION operator_action_follows()
    """,
)
_GUARDS = {"sqlite": _SQLITE_GUARDS, "postgresql": _POSTGRESQL_GUARDS}


def upgrade() -> None:
    """Create the tables and columns; what is certain of existing sessions goes into the timeline."""
    _audit()
    _staff()
    _support()
    _timeline()
    for name, kind in (("wants_frozen", sa.Boolean()), ("freeze_wish", sa.Integer()), ("frozen", sa.Boolean())):
        op.add_column("esim", sa.Column(name, kind, nullable=False, server_default="0"))
    op.add_column("free_grant", sa.Column("goodwill", sa.Boolean(), nullable=False, server_default="0"))
    op.add_column("session_dispute", sa.Column("answer", sa.String(1000)))
    op.add_column("session_dispute", sa.Column("answered_at", sa.BigInteger()))
    op.create_index("ix_session_dispute_answered_at_created_at", "session_dispute", ["answered_at", "created_at"])


def _audit() -> None:
    op.create_table(
        "operator_action",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(40), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("command", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_operator_action"),
        sa.UniqueConstraint("hash", name="uq_operator_action_hash"),
    )
    op.create_index("ix_operator_action_subject_number", "operator_action", ["subject", "number"])
    op.create_index("ix_operator_action_who_number", "operator_action", ["who", "number"])
    for guard in _GUARDS[op.get_bind().dialect.name]:
        op.execute(guard)


def _staff() -> None:
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("staff_id", name="pk_staff"),
        sa.UniqueConstraint("name", name="uq_staff_name"),
    )
    op.create_table(
        "staff_enrolment",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_staff_enrolment"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="fk_staff_enrolment_staff_id"),
    )
    op.create_table(
        "staff_passkey",
        sa.Column("credential_id", sa.LargeBinary(1023), nullable=False),
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("public_key", sa.LargeBinary(2048), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("credential_id", name="pk_staff_passkey"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="fk_staff_passkey_staff_id"),
    )
    op.create_table(
        "staff_login",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_staff_login"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="fk_staff_login_staff_id"),
    )
    for table in ("staff_enrolment", "staff_passkey", "staff_login"):
        op.create_index(f"ix_{table}_staff_id", table, ["staff_id"])
    op.create_index("ix_staff_login_expires_at", "staff_login", ["expires_at"])


def _support() -> None:
    op.create_table(
        "goodwill",
        sa.Column("goodwill_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.String(200)),
        sa.Column("asked_by", sa.String(40), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(40)),
        sa.Column("given_session_id", sa.String(36)),
        sa.PrimaryKeyConstraint("goodwill_id", name="pk_goodwill"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_goodwill_user_id"),
        sa.ForeignKeyConstraint(["session_id"], ["internet_session.session_id"], name="fk_goodwill_session_id"),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'given', 'refused')", name="ck_goodwill_state"),
        sa.CheckConstraint("octets > 0", name="ck_goodwill_octets"),
    )
    op.create_index("ix_goodwill_user_id", "goodwill", ["user_id"])
    op.create_index("ix_goodwill_session_id", "goodwill", ["session_id"])
    op.create_index("ix_goodwill_asked_by_asked_at", "goodwill", ["asked_by", "asked_at"])
    op.create_index("ix_goodwill_state_asked_at", "goodwill", ["state", "asked_at"])
    op.create_table(
        "caller_check",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("staff_id", sa.String(36), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("user_id", "staff_id", name="pk_caller_check"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_caller_check_user_id"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="fk_caller_check_staff_id"),
    )
    op.create_table(
        "customer_note",
        sa.Column("note_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("case_number", sa.String(20), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("written_by", sa.String(40), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_customer_note"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.user_id"], name="fk_customer_note_user_id"),
    )
    op.create_index("ix_customer_note_user_id_written_at", "customer_note", ["user_id", "written_at"])
    op.create_table(
        "incident",
        sa.Column("incident_id", sa.String(36), nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident"),
    )
    op.create_index("ix_incident_ended_at", "incident", ["ended_at"])


def _timeline() -> None:
    op.create_table(
        "session_timeline",
        sa.Column("sequence", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_session_timeline"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["internet_session.session_id"], name="fk_session_timeline_session_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_session_timeline_session_id_sequence", "session_timeline", ["session_id", "sequence"])
    op.create_index("ix_session_timeline_at", "session_timeline", ["at"])
    op.execute(
        "INSERT INTO session_timeline (session_id, state, at)"
        " SELECT session_id, 'ordered', ordered_at FROM internet_session ORDER BY ordered_at"
    )
    op.execute(
        "INSERT INTO session_timeline (session_id, state, at) SELECT session_id, 'active', activated_at"
        " FROM internet_session WHERE activated_at IS NOT NULL ORDER BY activated_at"
    )
