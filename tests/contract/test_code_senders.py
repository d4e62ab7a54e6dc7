"""One contract for all that sends codes: the lab's outbox, Termii and Africa's Talking, and what can go wrong."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, select

from kswifi.lab.rehearsal.sms.server import BLOCKED_NUMBER, RehearsalProvider, Wrong, serving_provider
from kswifi.phone_verification.lab_outbox import LabOutbox
from kswifi.phone_verification.ports import CodeSender, SendRefused, SendUnknown, Sent, TextMessage
from kswifi.phone_verification.sql import lab_text_message
from kswifi.providers.sms.africas_talking import AfricasTalking
from kswifi.providers.sms.termii import Termii
from tests.support.databases import open_database

KEY: Final = "rehearsal-key"
USERNAME: Final = "rehearsal"
REMOTE: Final = ("termii", "africas_talking")
ADA: Final = "+2348031234567"
REFERENCE: Final = "019ab0de-0000-7000-8000-0000000000c1"
WORDS: Final = "Your KSWiFi code is 042137."


@dataclass
class There:
    sender: CodeSender
    provider: RehearsalProvider
    taken: Callable[[], Awaitable[list[tuple[str, str]]]]


@asynccontextmanager
async def serving_sender(folder: Path, face: str, key: str = KEY) -> AsyncIterator[There]:
    async with open_database(folder) as database, serving_provider(KEY, USERNAME) as provider:

        async def taken() -> list[tuple[str, str]]:
            if face != "lab":
                return list(provider.taken)

            def look(connection: Connection) -> list[tuple[str, str]]:
                query = select(lab_text_message.c.phone_number, lab_text_message.c.words)
                rows = connection.execute(query)
                return [(number.removeprefix("+"), words) for number, words in rows]

            return await database.read(look)

        senders: dict[str, Callable[[], CodeSender]] = {
            "lab": lambda: LabOutbox(database),
            "termii": lambda: Termii(key, "KSWiFi", provider.origin, 1.0),
            "africas_talking": lambda: AfricasTalking(key, USERNAME, "KSWiFi", provider.origin, 1.0),
        }
        sender = senders[face]()
        try:
            yield There(sender, provider, taken)
        finally:
            await sender.close()


def message(to: str = ADA) -> TextMessage:
    return TextMessage(REFERENCE, to, WORDS)


@pytest.mark.parametrize("face", ["lab", *REMOTE])
async def test_a_message_is_taken_as_it_is(tmp_path: Path, face: str) -> None:
    async with serving_sender(tmp_path, face) as there:
        assert there.sender.name == face
        sent = await there.sender.send(message())
        assert isinstance(sent, Sent)
        assert sent.message_id
        assert await there.taken() == [(ADA.removeprefix("+"), WORDS)]


@pytest.mark.parametrize("face", REMOTE)
@pytest.mark.parametrize(("wrong", "taken"), [(Wrong.NO_ANSWER, 1), (Wrong.BROKEN, 0), (Wrong.UNREADABLE, 1)])
async def test_what_nobody_knows_is_unknown(tmp_path: Path, face: str, wrong: Wrong, taken: int) -> None:
    async with serving_sender(tmp_path, face) as there:
        there.provider.wrongs.append(wrong)
        assert isinstance(await there.sender.send(message()), SendUnknown)
        assert len(await there.taken()) == taken


@pytest.mark.parametrize("face", REMOTE)
async def test_asked_too_often_is_a_refusal_that_may_be_tried_later(tmp_path: Path, face: str) -> None:
    async with serving_sender(tmp_path, face) as there:
        there.provider.wrongs.append(Wrong.RATE_LIMITED)
        refused = await there.sender.send(message())
        assert isinstance(refused, SendRefused)
        assert refused.try_later
        assert isinstance(await there.sender.send(message()), Sent)


@pytest.mark.parametrize("face", REMOTE)
async def test_a_number_or_a_key_that_is_refused_is_refused_for_good(tmp_path: Path, face: str) -> None:
    async with serving_sender(tmp_path, face) as there:
        refused = await there.sender.send(message(f"+{BLOCKED_NUMBER}"))
        assert isinstance(refused, SendRefused)
        assert not refused.try_later
        assert await there.taken() == []
    async with serving_sender(tmp_path, face, key="another-key") as there:
        refused = await there.sender.send(message())
        assert isinstance(refused, SendRefused)
        assert not refused.try_later
        assert KEY not in refused.words


@pytest.mark.parametrize("face", REMOTE)
async def test_a_provider_that_is_not_there_is_unknown(tmp_path: Path, face: str) -> None:
    async with serving_sender(tmp_path, face) as gone:
        origin = gone.provider.origin
    sender: CodeSender = (
        Termii(KEY, "KSWiFi", origin) if face == "termii" else AfricasTalking(KEY, USERNAME, url=origin)
    )
    try:
        assert isinstance(await sender.send(message()), SendUnknown)
    finally:
        await sender.close()
