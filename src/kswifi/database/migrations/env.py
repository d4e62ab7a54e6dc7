"""Alembic runs this file for each command; it uses the connection and transaction of ``migrate``."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # true for SQLite as well, since our engine begins its transactions itself
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
