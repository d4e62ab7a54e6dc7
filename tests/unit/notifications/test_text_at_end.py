"""The text message at the end of a session: to a proved number only, once, within the day's limit."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from kswifi.accounts.sql import user_account
from kswifi.kernel.clock import SystemClock, unix_seconds
from kswifi.notifications.follower import AlertFollower
from kswifi.notifications.model import Wishes
from kswifi.notifications.service import put_wishes
from kswifi.notifications.text_at_end import TEXT_AT_END, TextsAtEnd
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Refused
from kswifi.phone_verification.ports import SendRefused, SendResult, SendUnknown, Sent, TextMessage
from tests.support.pushes import push_transport
from tests.support.session_roads import ADA, GB, Road, open_road

NUMBER = "+2348031234567"


def digest(purpose: str, value: str) -> bytes:
    return f"{purpose} {value}".encode()


@dataclass
class Sender:
    """A sender that answers with the given results in turn, then accepts every message."""

    results: list[SendResult] = field(default_factory=list)
    sent: list[TextMessage] = field(default_factory=list)
    name: str = "fake"

    async def send(self, message: TextMessage) -> SendResult:
        self.sent.append(message)
        return self.results.pop(0) if self.results else Sent("1")

    async def close(self) -> None:
        """Close nothing."""


async def account(road: Road, **columns: Any) -> None:
    await road.database.write(
        lambda connection: connection.execute(
            update(user_account)
            .where(user_account.c.user_id == ADA)
            .values(phone_number=NUMBER, email=None, **columns)
        )
    )


async def used_up(road: Road, sender: Sender, a_day: int = 10) -> None:
    """Use a session up and do the work that follows."""
    transport = push_transport(SystemClock())
    follower = AlertFollower(road.database, transport, text_at_end=a_day > 0)
    handlers = TextsAtEnd(road.database, digest, sender, max(a_day, 1)).handlers() if a_day else {}
    road.worker._handlers.update({**follower.handlers(), **handlers})
    await follower.catch_up()
    session = await road.stored()
    await road.use(session, GB, 1)
    await road.settle()
    await follower.catch_up()
    await road.worker.run_until_idle()
    await transport.close()


PROVED: dict[str, Any] = {"phone_mark": digest("phone", NUMBER).hex()}


async def test_the_owner_of_a_verified_number_gets_one_message(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await account(road, **PROVED)
        sender = Sender()
        await used_up(road, sender)
        (message,) = sender.sent
        assert message.to == NUMBER
        assert "1 GB session is used up" in message.words
        assert len(message.words) <= 160
        assert message.words.isascii()


async def test_a_number_proved_at_sign_up_counts_too(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await account(road, identifier_proved_at=road.database.clock.now())
        sender = Sender()
        await used_up(road, sender)
        assert len(sender.sent) == 1


@pytest.mark.parametrize("columns", [{}, {"phone_mark": digest("phone", "+2348039999999").hex()}])
async def test_a_number_that_nobody_has_proved_gets_none(tmp_path: Path, columns: dict[str, Any]) -> None:
    async with open_road(tmp_path) as road:
        await account(road, **columns)
        sender = Sender()
        await used_up(road, sender)
        assert sender.sent == []


async def test_nothing_is_sent_where_the_operator_or_the_owner_wants_none(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await account(road, **PROVED)
        sender = Sender()
        await used_up(road, sender, a_day=0)
        await road.database.write(lambda connection: put_wishes(connection, ADA, Wishes(usage=False)))
        await used_up(road, sender)
        assert sender.sent == []


@pytest.mark.parametrize(
    ("first", "times"),
    [(SendUnknown("no answer"), 1), (SendRefused("no"), 1), (SendRefused("slow down", try_later=True), 2)],
)
async def test_only_a_message_that_was_surely_not_sent_is_sent_again(
    tmp_path: Path, first: SendResult, times: int
) -> None:
    async with open_road(tmp_path) as road:
        await account(road, **PROVED)
        sender = Sender([first])
        await used_up(road, sender)
        for _ in range(3):
            road.clock.advance(timedelta(hours=1))
            await road.worker.run_until_idle()
        assert len(sender.sent) == times


async def test_the_limit_of_the_day_holds_for_all_people_together(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        await account(road, **PROVED)
        sender = Sender()
        texts = TextsAtEnd(road.database, digest, sender, 1)
        texts._limiter.attempt("all", road.clock.now())  # the message of another user
        session = await road.stored()
        payload = {"session_id": session.session_id, "at": unix_seconds(road.clock.now())}
        entry = Entry(id=1, kind=TEXT_AT_END, key="k", payload=payload, attempts=1, lease_owner="w")
        assert isinstance(await texts.send(entry), Refused)
        assert sender.sent == []
