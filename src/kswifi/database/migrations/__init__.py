"""The Alembic environment: env.py and the versions."""
