"""A load generator that keeps its own books: what it reported, what it was answered, and what must follow from it.

It runs in the test's process and speaks Gy to a real server process, which is killed now and then. What was in
flight goes out again with the T flag, and some of what was answered long ago comes again, too: it must be answered
as before. Nothing of the product's charging is used to say what is right.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from kswifi.bench.gy_load.messages import PEER, SessionParts, Template, load_templates, session_parts
from kswifi.diameter.constants import CcRequestType, ResultCode
from kswifi.diameter.framing import MessageFramer
from kswifi.diameter.header import peek_header
from kswifi.diameter.messages.credit_control import CreditControlAnswer
from tests.support.gy_server import greeting

Key: TypeAlias = tuple[str, int]
Said: TypeAlias = tuple[int, int | None, bool]
"""Result-Code, octets granted and whether that was the last of it."""

DOWNLINK: Final = 40_000
"""Downlink octets that the captured messages report; the uplink varies."""
UPDATES: Final = 4
_RETRANSMITTED: Final = 0x10
_LOOK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 30.0


@dataclass(slots=True)
class Sent:
    """A request: its octets, what it reports, and how it was answered first."""

    message: bytes
    used: int
    subscriber: int
    said: Said | None = None


@dataclass(slots=True)
class Talk:
    parts: SessionParts
    subscriber: int
    number: int = 0


@dataclass
class Books:
    """All of it; ``wrong`` tells what must not be."""

    chance: Random
    subscribers: int
    requests: dict[Key, Sent] = field(default_factory=dict)
    unanswered: dict[Key, Talk] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    answered: int = 0
    replays: int = 0
    stopping: bool = False
    _made: int = 0
    _idle: deque[int] = field(init=False)
    _templates: tuple[tuple[Template, ...], ...] = field(default_factory=load_templates)

    def __post_init__(self) -> None:
        self._idle = deque(range(self.subscribers))

    def begin(self) -> bytes | None:
        """Return the INITIAL of another session, of a subscriber who has none: a second one would replace it."""
        if self.stopping or not self._idle:
            return None
        self._made += 1
        subscriber = self._idle.popleft()
        return self._next(Talk(session_parts(self._made, subscriber), subscriber))

    def take(self, message: bytes) -> bytes | None:
        """Take an answer; return the session's next request, or that of another one."""
        answer = CreditControlAnswer.decode(message)
        key = (answer.session_id, answer.cc_request_number or 0)
        sent = self.requests[key]
        (group,) = answer.services or (None,)
        granted = None if group is None or group.granted is None else group.granted.cc_total_octets
        said = (answer.result_code, granted, group is not None and group.final_unit is not None)
        if answer.result_code == ResultCode.TOO_BUSY:
            return retransmitted(sent.message)
        if sent.said is not None:
            if sent.said != said:
                self.wrong.append(f"{key} was answered {sent.said}, and when it came again {said}")
            return None
        sent.said = said
        self.answered += 1
        if answer.result_code != ResultCode.SUCCESS:
            self.wrong.append(f"{key} was answered {said}: {answer.error_message}")
        session = self.unanswered.pop(key)
        if answer.cc_request_type is CcRequestType.TERMINATION:
            self._idle.append(session.subscriber)
            return self.begin()
        return self._next(session)

    def forget(self, message: bytes) -> None:
        """Take an INITIAL that was refused out of the books."""
        key = (session_id_of(message), 0)
        self._idle.append(self.unanswered.pop(key).subscriber)
        del self.requests[key]

    def again(self, replays: int) -> list[bytes]:
        """Return what is unanswered, and some of what was answered: all with the T flag."""
        mine = [self.requests[key].message for key in self.unanswered]
        answered = [it.message for it in list(self.requests.values())[-5_000:] if it.said is not None]
        mine += self.chance.sample(answered, min(replays, len(answered)))
        self.replays += min(replays, len(answered))
        return [retransmitted(it) for it in mine]

    def reported(self, *, answered: bool) -> dict[int, int]:
        """Return the octets of each subscriber: of all requests, or of those that were answered."""
        sums = dict.fromkeys(range(self.subscribers), 0)
        for it in self.requests.values():
            if it.said is not None or not answered:
                sums[it.subscriber] += it.used
        return sums

    def _next(self, session: Talk) -> bytes:
        number, session.number = session.number, session.number + 1
        kind = 0 if number == 0 else 2 if number > UPDATES else 1
        uplink = self.chance.randrange(1, 900_000)
        template = self.chance.choice(self._templates[kind])
        slot = self.chance.getrandbits(31)
        message = template.fill(session.parts, slot, number, int(time.time()), uplink)
        key = (session_id_of(message), number)
        self.requests[key] = Sent(message, uplink + DOWNLINK if kind else 0, session.subscriber)
        self.unanswered[key] = session
        return message


def session_id_of(message: bytes) -> str:
    """Return the Session-Id, which is the first AVP."""
    length = int.from_bytes(message[25:28], "big")
    return message[28 : 20 + length].decode()


def retransmitted(message: bytes) -> bytes:
    """Return the message with the T flag (RFC 6733, 3)."""
    octets = bytearray(message)
    octets[4] |= _RETRANSMITTED
    return bytes(octets)


async def load(books: Books, port: int, *, sessions: int, replays: int) -> None:
    """Send what is unanswered again and begin so many sessions, one after the other ends.

    It goes on until the server is gone, or the books are stopping and all is answered.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(greeting(PEER))
        first = [*books.again(replays)]
        first += filter(None, (books.begin() for _ in range(sessions)))
        writer.write(b"".join(first))
        await _follow(books, reader, writer)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


async def _follow(books: Books, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    framer, heard = MessageFramer(), time.monotonic()
    while not (books.stopping and not books.unanswered):
        try:
            octets = await asyncio.wait_for(reader.read(1 << 18), _LOOK_SECONDS)
        except TimeoutError:
            assert time.monotonic() - heard < _PATIENCE_SECONDS, "the server answers nothing any more"
            continue
        if not octets:
            return
        heard = time.monotonic()
        writer.write(b"".join(_answers(books, framer.feed(octets))))


def _answers(books: Books, messages: Iterable[bytes]) -> Iterable[bytes]:
    for message in messages:
        header = peek_header(message)
        if header.application_id and not header.is_request:
            following = books.take(message)
            if following is not None:
                yield following
