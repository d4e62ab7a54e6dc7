"""Wrong passwords of other people slow guessing down and never keep an owner out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, insert

from kswifi.accounts.errors import (
    IdentifierNotProvedError,
    SignInLockedError,
    WrongCredentialsError,
)
from kswifi.accounts.job_handlers import LockNotices
from kswifi.accounts.model import UNKNOWN_CLIENT, Client, parse_identifier
from kswifi.accounts.passwords import Passwords
from kswifi.accounts.service import AccountService
from kswifi.accounts.sql import identifier_proof
from kswifi.database.engine import Database, transaction_instant
from kswifi.jobs.worker import Worker
from kswifi.outbox.service import events_after
from tests.support.clocks import ManualClock
from tests.support.databases import START, open_database

PHONE, STRANGER = "0803 123 4567", "0803 765 4321"
PASSWORD = "three warm rivers"
HERE = "192.0.2.1"


class _CountingHasher(PasswordHasher):
    """Counts the hashes that are made and verified: the work that an answer takes."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.made = self.verified = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.made += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002
        self.verified += 1
        return super().verify(hash, password)


@dataclass
class _Place:
    accounts: AccountService
    database: Database
    clock: ManualClock
    hasher: _CountingHasher

    async def guess(self, count: int, identifier: str = PHONE, client: Client = UNKNOWN_CLIENT) -> int:
        """Try wrong passwords from as many addresses; return how many were checked."""
        checked = 0
        for number in range(count):
            try:
                await self.accounts.log_in(identifier, f"guess {number}", f"198.51.100.{number}", client)
            except WrongCredentialsError:
                checked += 1
            except SignInLockedError:
                pass
        return checked

    async def notices(self, user_id: str) -> list[str]:
        await Worker(self.database, LockNotices(self.database).handlers()).run_until_idle()
        events = await self.database.read(lambda connection: events_after(connection, user_id, 0))
        return [it.payload["what"] for it in events if it.kind == "account.security"]


@asynccontextmanager
async def _place(folder: Path) -> AsyncIterator[_Place]:
    hasher, clock = _CountingHasher(), ManualClock(START)
    passwords = Passwords(hasher)
    try:
        async with open_database(folder, clock) as database:
            yield _Place(AccountService(database, passwords), database, clock, hasher)
    finally:
        passwords.close()


async def test_ten_wrong_guesses_do_not_keep_an_owner_with_a_device_cookie_out(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        own = Client(device_cookie=made.login.device_cookie)
        assert await place.guess(30) == 10
        with pytest.raises(SignInLockedError):
            await place.accounts.log_in(PHONE, PASSWORD, HERE)
        again = await place.accounts.log_in(PHONE, PASSWORD, HERE, own)
        assert (await place.accounts.who(again.token)).user == made.login.user
        assert again.device_cookie != own.device_cookie
        assert await place.guess(3) == 0, "the owner's sign-in gives other people no fresh guesses"


async def test_a_device_cookie_has_a_counter_of_its_own_and_then_the_common_one(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        stolen = Client(device_cookie=made.login.device_cookie)
        assert await place.guess(50, client=stolen) == 20
        other = await place.accounts.register(STRANGER, PASSWORD, HERE)
        for cookie in (other.login.device_cookie, made.login.device_cookie + "x", "x", ".", "\ud800.x"):
            with pytest.raises(SignInLockedError):
                await place.accounts.log_in(PHONE, PASSWORD, HERE, Client(device_cookie=cookie))


async def test_an_owner_without_a_cookie_passes_by_recovery_code_or_by_a_proof(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        await place.guess(20)
        number = str(parse_identifier(PHONE))
        values = {"salt": "", "state": "sent", "tries": 0}

        def note(connection: Connection) -> None:
            now = transaction_instant(connection)
            for proof_id, confirmed_at, identifier in (("p", now, number), ("q", None, number), ("r", now, "+1")):
                proof = {"proof_id": proof_id, "identifier": identifier, "confirmed_at": confirmed_at}
                connection.execute(insert(identifier_proof).values(**values, **proof, expires_at=now))

        await place.database.write(note)
        for wrong in ("q", "r", "s"):
            with pytest.raises(IdentifierNotProvedError):
                await place.accounts.log_in(PHONE, PASSWORD, HERE, proof_id=wrong)
        await place.accounts.log_in(PHONE, PASSWORD, HERE, proof_id="p")
        with pytest.raises(SignInLockedError):
            await place.accounts.log_in(PHONE, PASSWORD, HERE)
        recovery = await place.accounts.recover(PHONE, made.recovery_code, "four warm rivers", HERE)
        await place.accounts.log_in(PHONE, "four warm rivers", HERE, Client(device_cookie=recovery.device_cookie))


async def test_the_owner_gets_one_event_in_a_window(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        user_id = made.login.user.user_id
        await place.guess(10)
        assert await place.notices(user_id) == []
        await place.guess(20)
        assert await place.notices(user_id) == ["sign_in_locked"]
        place.clock.advance(timedelta(minutes=16))
        await place.guess(30)
        assert await place.notices(user_id) == ["sign_in_locked"] * 2


async def test_known_and_unknown_accounts_take_the_same_work_at_every_step(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        await place.guess(1)  # the hash that stands for unknown accounts is made once
        work = {}
        for identifier in (PHONE, STRANGER):
            before = (place.hasher.made, place.hasher.verified)
            writes: list[int] = []
            write = place.database.write

            async def counted(*args, **kwargs):  # type: ignore[no-untyped-def]
                writes.append(1)  # noqa: B023
                return await write(*args, **kwargs)  # noqa: B023

            place.database.write = counted  # type: ignore[method-assign]
            place.clock.advance(timedelta(hours=1))
            checked = await place.guess(15, identifier, Client(device_cookie=made.login.device_cookie[:-1] + "?"))
            with pytest.raises(Exception, match="recovery code is wrong"):
                await place.accounts.recover(identifier, "0000", "four warm rivers", HERE)
            place.database.write = write  # type: ignore[method-assign]
            work[identifier] = (
                checked,
                place.hasher.made - before[0],
                place.hasher.verified - before[1],
                len(writes),
            )
        assert work[PHONE] == work[STRANGER] == (10, 1, 10, 2)


async def test_a_change_of_password_ends_cookies_and_sign_ins_in_progress(tmp_path: Path) -> None:
    async with _place(tmp_path) as place:
        made = await place.accounts.register(PHONE, PASSWORD, HERE)
        other = await place.accounts.log_in(
            PHONE, PASSWORD, HERE, Client(browser="Firefox", network="local network")
        )
        signed_in = await place.accounts.who(made.login.token)
        found = await place.accounts.require_password(signed_in, PASSWORD, HERE)
        cookie = await place.accounts.change_password(signed_in, "four warm rivers", end_others=True, found=found)
        with pytest.raises(Exception, match="sign in first"):
            await place.accounts.who(other.token)
        assert (await place.accounts.who(made.login.token)).user == made.login.user
        with pytest.raises(WrongCredentialsError):  # found before the change
            await place.accounts.change_password(signed_in, "five warm rivers", end_others=False, found=found)
        await place.guess(20)
        for earlier in (made.login.device_cookie, other.device_cookie):
            with pytest.raises(SignInLockedError):
                await place.accounts.log_in(PHONE, "four warm rivers", HERE, Client(device_cookie=earlier))
        await place.accounts.log_in(PHONE, "four warm rivers", HERE, Client(device_cookie=cookie))
        assert "password_changed" in await place.notices(made.login.user.user_id)
