import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import func, select

from kswifi.accounts.errors import (
    AlreadyRegisteredError,
    LoginExpiredError,
    NotSignedInError,
    SignInBusyError,
    TooManyAttemptsError,
    WeakPasswordError,
    WrongCredentialsError,
    WrongRecoveryCodeError,
)
from kswifi.accounts.passwords import WAITING_LIMIT, WORKERS, Passwords
from kswifi.accounts.rates import KEYS_LIMIT, Rate, RateLimiter
from kswifi.accounts.service import LOGINS_LIMIT, AccountRules, AccountService
from kswifi.accounts.sql import login_session, user_account
from kswifi.database.engine import Database
from tests.support.accounts import cheap_passwords
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

PHONE = "0803 123 4567"
PASSWORD = "three warm rivers"
HERE = "192.0.2.1"


@asynccontextmanager
async def _accounts(
    tmp_path: Path, clock: ManualClock, rules: AccountRules | None = None
) -> AsyncIterator[tuple[AccountService, Database]]:
    passwords = cheap_passwords()
    try:
        async with open_database(tmp_path, clock) as database:
            yield AccountService(database, passwords, rules), database
    finally:
        passwords.close()


def _written_anywhere(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.iterdir())


async def test_registering_signs_in_and_keeps_no_secret(tmp_path: Path) -> None:
    async with _accounts(tmp_path, ManualClock(START)) as (accounts, _database):
        made = await accounts.register(PHONE, PASSWORD, HERE)
        assert made.login.user.phone_number == "+2348031234567"
        who = await accounts.who(made.login.token)
        assert who.user == made.login.user
        assert who.csrf_token == made.login.csrf_token
        assert made.login.expires_at == START + timedelta(days=30)
        for secret in (made.login.token, made.recovery_code, made.login.csrf_token, PASSWORD):
            assert not _written_anywhere(tmp_path, secret)


async def test_two_registrations_of_one_phone_give_one_account_and_a_clear_refusal(tmp_path: Path) -> None:
    async with _accounts(tmp_path, ManualClock(START)) as (accounts, database):
        results = await asyncio.gather(
            *(accounts.register(phone, PASSWORD, HERE) for phone in (PHONE, "+2348031234567", "8031234567")),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, AlreadyRegisteredError)]
        assert len(refused) == 2
        with pytest.raises(AlreadyRegisteredError, match="this phone number has an account"):
            await accounts.register(PHONE, PASSWORD, HERE)
        assert (
            await database.read(
                lambda connection: connection.scalar(select(func.count()).select_from(user_account))
            )
            == 1
        )


async def test_unknown_accounts_and_wrong_passwords_get_the_same_answer(tmp_path: Path) -> None:
    async with _accounts(tmp_path, ManualClock(START)) as (accounts, _database):
        await accounts.register("ada@example.ng", PASSWORD, HERE)
        with pytest.raises(WrongCredentialsError) as unknown:
            await accounts.log_in("obi@example.ng", PASSWORD, HERE)
        with pytest.raises(WrongCredentialsError) as wrong:
            await accounts.log_in("ada@example.ng", PASSWORD + "!", HERE)
        assert (unknown.value.message, unknown.value.facts) == (wrong.value.message, wrong.value.facts)
        login = await accounts.log_in("ADA@example.ng", PASSWORD, HERE)
        assert (await accounts.who(login.token)).user.email == "ada@example.ng"


class _RecordingHasher(PasswordHasher):
    """Notes which hashes are verified, and on which threads it works."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=16, parallelism=1)
        self.verified: list[str] = []
        self.threads: set[int] = set()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.threads.add(threading.get_ident())
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2 names it so
        self.threads.add(threading.get_ident())
        self.verified.append(str(hash))
        return super().verify(hash, password)


async def test_for_an_unknown_account_a_hash_of_the_same_cost_is_verified() -> None:
    hasher = _RecordingHasher()
    passwords = Passwords(hasher)
    try:
        encoded = await passwords.hash(PASSWORD)
        assert not await passwords.matches(encoded, "wrong")
        assert not await passwords.matches(None, "wrong")
        assert not await passwords.matches(None, "nobody has this password")
    finally:
        passwords.close()
    of_account, *of_nobody = hasher.verified
    assert of_account == encoded
    assert len(of_nobody) == 2
    assert all(extract_parameters(dummy) == extract_parameters(encoded) for dummy in of_nobody)


async def test_a_login_ends_by_its_age_by_idleness_and_by_signing_out(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with _accounts(tmp_path, clock) as (accounts, database):
        made = await accounts.register(PHONE, PASSWORD, HERE)
        for _ in range(3):
            clock.advance(timedelta(days=9))
            await accounts.who(made.login.token)  # used: not idle
        other = await accounts.log_in(PHONE, PASSWORD, HERE)
        clock.advance(timedelta(days=3))
        with pytest.raises(LoginExpiredError):
            await accounts.who(made.login.token)
        with pytest.raises(NotSignedInError):
            await accounts.who(made.login.token)
        clock.advance(timedelta(days=11))
        with pytest.raises(LoginExpiredError):
            await accounts.who(other.token)
        third = await accounts.log_in(PHONE, PASSWORD, HERE)
        await accounts.log_out(third.token)
        await accounts.log_out(third.token)
        with pytest.raises(NotSignedInError):
            await accounts.who(third.token)
        with pytest.raises(NotSignedInError):
            await accounts.who("no token of ours")
        fourth = await accounts.log_in(PHONE, PASSWORD, HERE)
        clock.advance(timedelta(days=40))
        assert await accounts.prune() == 1
        assert (
            await database.read(
                lambda connection: connection.scalar(select(func.count()).select_from(login_session))
            )
            == 0
        )
        with pytest.raises(NotSignedInError):
            await accounts.who(fourth.token)


async def test_recovery_sets_the_password_once_and_ends_every_login(tmp_path: Path) -> None:
    async with _accounts(tmp_path, ManualClock(START)) as (accounts, _database):
        made = await accounts.register(PHONE, PASSWORD, HERE)
        with pytest.raises(WrongRecoveryCodeError):
            await accounts.recover(PHONE, made.recovery_code[:-1] + "?", "another password", HERE)
        with pytest.raises(WrongRecoveryCodeError):
            await accounts.recover("0803 765 4321", made.recovery_code, "another password", HERE)
        with pytest.raises(WeakPasswordError):
            await accounts.recover(PHONE, made.recovery_code, "password", HERE)
        results = await asyncio.gather(
            accounts.recover(PHONE, made.recovery_code.lower(), "another password", HERE),
            accounts.recover(PHONE, made.recovery_code, "another password", HERE),
            return_exceptions=True,
        )
        [code] = [result for result in results if isinstance(result, str)]
        assert code != made.recovery_code
        with pytest.raises(NotSignedInError):
            await accounts.who(made.login.token)
        with pytest.raises(WrongCredentialsError):
            await accounts.log_in(PHONE, PASSWORD, HERE)
        await accounts.log_in(PHONE, "another password", HERE)
        await accounts.recover(PHONE, code, PASSWORD, HERE)


async def test_guessing_is_slowed_down_by_account_and_by_address(tmp_path: Path) -> None:
    clock = ManualClock(START)
    rules = AccountRules(
        guesses_by_account=Rate(3, timedelta(minutes=3)),
        logins_by_address=Rate(5, timedelta(minutes=5)),
        registrations_by_address=Rate(2, timedelta(hours=1)),
    )

    async with _accounts(tmp_path, clock, rules) as (accounts, _database):
        await accounts.register(PHONE, PASSWORD, HERE)
        await accounts.register("ada@example.ng", PASSWORD, HERE)
        with pytest.raises(TooManyAttemptsError):
            await accounts.register("obi@example.ng", PASSWORD, HERE)
        for number in range(3):
            with pytest.raises(WrongCredentialsError):
                await accounts.log_in(PHONE, f"guess {number}", f"198.51.100.{number}")
        with pytest.raises(TooManyAttemptsError) as slowed:
            await accounts.log_in(PHONE, PASSWORD, "198.51.100.9")
        assert slowed.value.facts == {"retry_after_seconds": 60}
        clock.advance(timedelta(seconds=60))
        await accounts.log_in(PHONE, PASSWORD, "198.51.100.9")
        for _ in range(5):
            await accounts.log_in("ada@example.ng", PASSWORD, HERE)
        with pytest.raises(TooManyAttemptsError):
            await accounts.log_in("ada@example.ng", PASSWORD, HERE)


def test_the_rate_limiter_forgets_rather_than_grows() -> None:
    limiter = RateLimiter(Rate(1, timedelta(hours=1)))
    for number in range(KEYS_LIMIT + 10):
        limiter.attempt(str(number), START)
    assert len(limiter._full_until) == KEYS_LIMIT
    with pytest.raises(TooManyAttemptsError):
        limiter.attempt(str(KEYS_LIMIT + 9), START)
    limiter.attempt("0", START)


async def test_an_account_has_a_bounded_number_of_logins(tmp_path: Path) -> None:
    clock = ManualClock(START)

    async with _accounts(tmp_path, clock) as (accounts, database):
        first = await accounts.register(PHONE, PASSWORD, HERE)
        last = first.login
        for _ in range(LOGINS_LIMIT):
            clock.advance(timedelta(seconds=20))
            last = await accounts.log_in(PHONE, PASSWORD, HERE)
        assert (
            await database.read(
                lambda connection: connection.scalar(select(func.count()).select_from(login_session))
            )
            == LOGINS_LIMIT
        )
        with pytest.raises(NotSignedInError):
            await accounts.who(first.login.token)
        await accounts.who(last.token)


async def test_an_outdated_hash_is_renewed_at_the_next_login(tmp_path: Path) -> None:
    async with open_database(tmp_path) as database:
        old, new = cheap_passwords(), Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
        try:
            await AccountService(database, old).register(PHONE, PASSWORD, HERE)
            accounts = AccountService(database, new)
            await asyncio.gather(*(accounts.log_in(PHONE, PASSWORD, HERE) for _ in range(3)))
            encoded = await database.read(
                lambda connection: connection.scalar(select(user_account.c.password_hash))
            )
            assert str(encoded).startswith("$argon2id$v=19$m=16,t=2,p=1$")
        finally:
            old.close()
            new.close()


async def test_hashing_runs_on_threads_of_its_own_and_has_a_limit() -> None:
    hasher = _RecordingHasher()
    passwords = Passwords(hasher)
    try:
        asked = WORKERS + WAITING_LIMIT + 5
        results = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(asked)), return_exceptions=True)
        assert sum(isinstance(result, SignInBusyError) for result in results) == 5
        (encoded,) = [result for result in results if isinstance(result, str)][:1]
        assert await passwords.matches(encoded, PASSWORD)
        assert threading.get_ident() not in hasher.threads, "the event loop waits while a password is hashed"
        assert 1 <= len(hasher.threads) <= WORKERS
        await asyncio.sleep(0)
        assert passwords._busy == 0
    finally:
        passwords.close()
