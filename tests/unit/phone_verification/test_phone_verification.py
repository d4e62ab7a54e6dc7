"""Codes: what they prove, how often they may be tried, and that a message goes out once."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from kswifi.accounts.errors import TooManyAttemptsError
from kswifi.accounts.sql import user_account
from kswifi.free_data.errors import PhoneNotVerifiedError
from kswifi.free_data.rules import FreeDataRules, Requirement
from kswifi.jobs.worker import Worker
from kswifi.kernel.errors import KswifiError, Refusal, RefusedError
from kswifi.phone_verification.code_limits import CodeLimiter, CodeRates
from kswifi.phone_verification.errors import (
    NOT_A_PHONE_NUMBER,
    PHONE_CODE_OVER,
    PHONE_CODE_WRONG,
    PHONE_VERIFIED_ELSEWHERE,
    UNKNOWN_PHONE_VERIFICATION,
)
from kswifi.phone_verification.job_handlers import CodeHandlers
from kswifi.phone_verification.model import CODE_LIFETIME, TRIES_LIMIT, CodeCounts, code_of, parse_phone_number
from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from kswifi.phone_verification.service import PhoneVerifications
from kswifi.phone_verification.sql import phone_verification
from tests.support.free_data import Given, open_free_data, user
from tests.support.refusals import refused

NUMBER = "0803 123 4567"


@dataclass
class Recorder:
    """A sender that gives the answers set in advance, and keeps the messages it was given."""

    answers: list[SendResult] = field(default_factory=list)
    messages: list[TextMessage] = field(default_factory=list)
    name: str = "recorder"

    async def send(self, message: TextMessage) -> SendResult:
        self.messages.append(message)
        return self.answers.pop(0) if self.answers else Sent("1")

    async def close(self) -> None:
        pass


@dataclass
class Phones:
    given: Given
    service: PhoneVerifications
    sender: Recorder
    worker: Worker
    count: int = 0

    async def begin(self, who: str, number: str = NUMBER, address: str = "192.0.2.1") -> str:
        self.count += 1
        made = await self.service.begin(who, f"019ab0de-0000-7000-8000-{self.count:012}", number, address)
        await self.worker.run_until_idle()
        return made.verification_id

    async def state(self, who: str, verification_id: str) -> str:
        return (await self.service.verification(who, verification_id)).state

    @property
    def code(self) -> str:
        found = re.search(r"\b[0-9]{6}\b", self.sender.messages[-1].words)
        assert found is not None
        return found.group()

    async def verify(self, who: str, number: str = NUMBER) -> None:
        verification_id = await self.begin(who, number)
        await self.service.confirm(who, verification_id, self.code)

    async def refused(self, who: str, verification_id: str, code: str) -> Refusal:
        with pytest.raises(RefusedError) as caught:
            await self.service.confirm(who, verification_id, code)
        return caught.value.refusal


@asynccontextmanager
async def open_phones(folder: Path, rules: FreeDataRules | None = None) -> AsyncIterator[Phones]:
    async with open_free_data(folder, rules) as given:
        digest = given.free_data.marks.digest
        sender = Recorder()
        worker = Worker(given.database, CodeHandlers(given.database, digest, sender).handlers())
        yield Phones(given, PhoneVerifications(given.database, digest), sender, worker)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def test_the_code_that_was_sent_verifies_the_number_and_opens_free_data(tmp_path: Path) -> None:
    async with open_phones(tmp_path, FreeDataRules(required=Requirement.PHONE)) as phones:
        with pytest.raises(PhoneNotVerifiedError):
            await phones.given.order(user(0))
        verification_id = await phones.begin(user(0))
        assert phones.sender.messages[0].to == "+2348031234567"
        assert await phones.state(user(0), verification_id) == "sent"
        await phones.service.confirm(user(0), verification_id, phones.code)
        await phones.service.confirm(user(0), verification_id, phones.code)  # again is no error
        await phones.given.order(user(0))


async def test_the_allowance_goes_with_the_number_after_its_account_is_gone(tmp_path: Path) -> None:
    async with open_phones(tmp_path, FreeDataRules(required=Requirement.PHONE)) as phones:
        await phones.verify(user(0))
        await phones.given.order(user(0), 5 * 10**9)

        def change(connection: Connection) -> None:
            of_first = user_account.c.user_id == user(0)
            connection.execute(update(user_account).where(of_first).values(phone_mark=None))

        await phones.given.database.write(change)
        await phones.verify(user(1))
        with pytest.raises(KswifiError) as caught:
            await phones.given.order(user(1))
        assert caught.value.code == "free_allowance_used_up"


async def test_one_number_verifies_one_account(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        await phones.verify(user(0))
        verification_id = await phones.begin(user(1), "+234 803 123 4567")
        assert await phones.refused(user(1), verification_id, phones.code) is PHONE_VERIFIED_ELSEWHERE
        await phones.verify(user(0), "0701 234 5678")  # another number takes its place: the first is free
        await phones.verify(user(1))


async def test_five_wrong_codes_end_it_also_for_the_right_one(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        verification_id = await phones.begin(user(0))
        for _ in range(TRIES_LIMIT):
            assert await phones.refused(user(0), verification_id, other(phones.code)) is PHONE_CODE_WRONG
        assert await phones.refused(user(0), verification_id, phones.code) is PHONE_CODE_OVER


async def test_a_hundred_guesses_at_once_are_five(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        verification_id = await phones.begin(user(0))
        wrong = other(phones.code)
        tries = [phones.refused(user(0), verification_id, wrong) for _ in range(100)]
        assert (await asyncio.gather(*tries)).count(PHONE_CODE_WRONG) == TRIES_LIMIT


async def test_a_code_holds_for_ten_minutes_and_its_number_is_forgotten_after(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        verification_id = await phones.begin(user(0))
        phones.given.clock.advance(CODE_LIFETIME)
        assert await phones.refused(user(0), verification_id, phones.code) is PHONE_CODE_OVER
        assert await phones.service.prune() == 0
        phones.given.clock.advance(CODE_LIFETIME)
        assert await phones.service.prune() == 1
        assert await phones.refused(user(0), verification_id, phones.code) is UNKNOWN_PHONE_VERIFICATION


async def test_a_code_is_its_users_alone(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        verification_id = await phones.begin(user(0))
        assert await phones.refused(user(1), verification_id, phones.code) is UNKNOWN_PHONE_VERIFICATION


async def test_no_table_has_the_code(tmp_path: Path) -> None:
    def contents() -> list[bytes]:
        return [file.read_bytes() for file in tmp_path.glob("control.db*")]

    async with open_phones(tmp_path) as phones:
        await phones.begin(user(0))
        code = phones.code.encode()
        assert all(b"code is " + code not in content for content in contents())
        row = await phones.given.database.read(
            lambda connection: connection.execute(select(phone_verification)).one()
        )
        assert phones.code not in [str(it) for it in row]
        digest = phones.given.free_data.marks.digest
        codes = {code_of(digest, row.verification_id, row.phone_number, f"{salt:032x}") for salt in range(50)}
        assert len(codes) > 45  # the salt makes it another each time


async def test_account_number_and_address_each_have_their_rate(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        for _ in range(3):
            await phones.begin(user(0))
        with pytest.raises(TooManyAttemptsError):
            await phones.begin(user(1))  # the number
        for number in ("0701 234 5677", "0701 234 5678", "0701 234 5679"):
            await phones.begin(user(0), number)
        with pytest.raises(TooManyAttemptsError):
            await phones.begin(user(0), "0701 234 5670")  # the account
        assert len(phones.sender.messages) == 6
        for last in range(40):
            with contextlib.suppress(TooManyAttemptsError):
                await phones.begin(user(2), f"0702 234 56{last:02}")
        with pytest.raises(TooManyAttemptsError):
            await phones.begin(user(1), "0703 234 5678")  # the network address
        await phones.begin(user(1), "0703 234 5678", address="192.0.2.2")


async def test_all_together_are_not_sent_more_than_the_operator_pays_for(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        phones.service = PhoneVerifications(
            *(phones.given.database, phones.given.free_data.marks.digest), limiter=CodeLimiter(CodeRates(all_day=3))
        )
        for last in range(3):
            await phones.begin(user(last), f"0702 234 567{last}", address=f"192.0.2.{last}")
        with pytest.raises(TooManyAttemptsError):
            await phones.begin(user(0), "0702 234 5679", address="192.0.2.9")
        assert len(phones.sender.messages) == 3
        phones.given.clock.advance(timedelta(hours=8))
        await phones.begin(user(0), "0702 234 5679", address="192.0.2.9")


@pytest.mark.parametrize("answer", [SendUnknown("lost"), SendRefused("no such number")])
async def test_what_is_refused_or_unknown_is_not_sent_again(tmp_path: Path, answer: SendResult) -> None:
    async with open_phones(tmp_path) as phones:
        phones.sender.answers = [answer]
        verification_id = await phones.begin(user(0))
        unknown = isinstance(answer, SendUnknown)
        assert await phones.state(user(0), verification_id) == ("unknown" if unknown else "refused")
        phones.given.clock.advance(timedelta(minutes=5))
        await phones.worker.run_until_idle()
        assert len(phones.sender.messages) == 1
        if unknown:  # it may have come
            await phones.service.confirm(user(0), verification_id, phones.code)
        else:
            assert await phones.refused(user(0), verification_id, phones.code) is PHONE_CODE_OVER


async def test_asked_too_often_is_sent_later(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        phones.sender.answers = [SendRefused("too often", try_later=True)]
        verification_id = await phones.begin(user(0))
        assert await phones.state(user(0), verification_id) == "waiting"
        phones.given.clock.advance(timedelta(minutes=5))
        await phones.worker.run_until_idle()
        assert await phones.state(user(0), verification_id) == "sent"


async def test_who_died_while_sending_leaves_it_unknown(tmp_path: Path) -> None:
    async with open_phones(tmp_path) as phones:
        made = await phones.service.begin(user(0), "019ab0de-0000-7000-8000-0000000000d1", NUMBER, "192.0.2.1")
        await phones.given.database.write(
            lambda connection: connection.execute(update(phone_verification).values(state="sending"))
        )
        await phones.worker.run_until_idle()
        assert await phones.state(user(0), made.verification_id) == "unknown"
        assert phones.sender.messages == []


def test_numbers_are_read_as_people_write_them() -> None:
    for text in ("08031234567", "0803 123 4567", "+2348031234567", "234 803 123 4567", "803-123-4567"):
        assert parse_phone_number(text) == "+2348031234567"
    assert parse_phone_number("+44 7700 900123") == "+447700900123"
    for text in ("ada@example.ng", "12", "", "0803123456x"):
        with refused(NOT_A_PHONE_NUMBER):
            parse_phone_number(text)


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Sent("1"), "sent"), (SendRefused("no"), "refused"), (SendUnknown("lost"), "unknown")]
)
async def test_messages_are_counted_by_provider_and_outcome(
    tmp_path: Path, answer: SendResult, outcome: str
) -> None:
    async with open_phones(tmp_path) as phones:
        counts, digest = CodeCounts(), phones.given.free_data.marks.digest
        phones.worker = Worker(
            phones.given.database, CodeHandlers(phones.given.database, digest, phones.sender, counts).handlers()
        )
        phones.sender.answers = [answer]
        await phones.begin(user(0))
    assert counts == {("recorder", outcome): 1}
