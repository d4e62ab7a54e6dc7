"""Accounts with a password hash that costs next to nothing."""

from argon2 import PasswordHasher

from kswifi.accounts.passwords import Passwords


def cheap_passwords() -> Passwords:
    """Return argon2id at its cheapest: the tests are about everything around it."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
