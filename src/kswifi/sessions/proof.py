"""The card's proof: a script of APDUs for the phone to run, and the judgement of what the card answered.

The card reads back its ICCID and the session record, and answers a fresh challenge of the authentication centre, so
that the one with the subscriber's keys is there. What it is worth is recorded as what it is: ``apdu_read_back``.
The vector serves this one proof and is never given to a network.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kswifi.database.engine import Database, transaction_instant
from kswifi.esim.authentication_centre import AuthenticationCentre
from kswifi.esim.errors import ResynchronizationRefusedError
from kswifi.esim.model import ESim, ProfileEvent
from kswifi.esim.ports import StorageProof
from kswifi.esim.service import find_esim, move_profile
from kswifi.kernel.numbers import Iccid
from kswifi.rsp.saip.build import DF_KSWIFI, EF_SESSIONS, SESSION_RECORD_FILE_OCTETS, USIM_AID
from kswifi.rsp.session_record import pad
from kswifi.sessions import work
from kswifi.sessions.errors import (
    CardRefusedError,
    CardResynchronisedError,
    IllegalTransitionError,
    NoChallengeError,
    ProofError,
    ProofMalformedError,
    RecordDiffersError,
    WrongCardError,
    WrongResponseError,
)
from kswifi.sessions.model import InternetSession, SessionEvent, SessionRules, SessionState
from kswifi.sessions.sql import internet_session, storage_challenge
from kswifi.sessions.store import find_session, get_record, move_session

RESPONSE_LIMIT_OCTETS: Final = 258
_OK: Final = b"\x90\x00"
_SUCCESS: Final = 0xDB  # TS 31.102, 7.1.2.1: successful 3G authentication
_SYNCHRONISATION_FAILURE: Final = 0xDC
_READ_ICCID, _READ_RECORD, _AUTHENTICATE = 2, 5, 6


@dataclass(frozen=True, slots=True)
class ScriptedCommand:
    """One command APDU and what it does, for people."""

    name: str
    apdu: bytes


@dataclass(frozen=True, slots=True)
class StorageChallenge:
    """The script to run on the card, in this order on the basic channel, and until when its answers are taken."""

    session_id: str
    challenge_id: str
    script: tuple[ScriptedCommand, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Open:
    rand: bytes
    xres: bytes


class StorageProofs:
    """Challenges cards and judges their answers."""

    def __init__(
        self, database: Database, authentication_centre: AuthenticationCentre, rules: SessionRules | None = None
    ) -> None:
        self._database = database
        self._authentication_centre = authentication_centre
        self._rules = rules or SessionRules()

    async def challenge(self, user_id: str, session_id: str) -> StorageChallenge:
        """Make a new challenge; an earlier one of the same session is worth nothing any more.

        Raises:
            UnknownSessionError: there is none, or it is somebody else's.
            IllegalTransitionError: no transfer is under way.
        """
        async with self._database.reading() as connection:
            session = await find_session(connection, session_id, user_id)
            _require_transferring(session)
            esim = await find_esim(connection, session.esim_id)
        vector = await self._authentication_centre.authentication_vector(esim.imsi)
        async with self._database.transaction() as connection:
            _require_transferring(await find_session(connection, session.session_id))
            expires_at = transaction_instant(connection) + timedelta(seconds=self._rules.challenge_seconds)
            values = {"rand": vector.rand, "autn": vector.autn, "xres": vector.xres, "expires_at": expires_at}
            await connection.execute(
                insert(storage_challenge)
                .values(session_id=session.session_id, **values)
                .on_conflict_do_update(index_elements=["session_id"], set_=values)
            )
        return StorageChallenge(
            session.session_id, vector.rand.hex(), storage_script(vector.rand, vector.autn), expires_at
        )

    async def prove(
        self, user_id: str, session_id: str, responses: list[bytes], challenge_id: str | None = None
    ) -> InternetSession:
        """Judge the card's answers; if they prove it, ask the ledger to let the session be spent.

        Each challenge is judged once. Answers that show another card, another record or other keys fail the
        transfer, which can then be asked for again. Once proved, asking again is no error.

        Args:
            user_id: whose session it must be.
            session_id: the session.
            responses: a response APDU for each command of the script, data and status word.
            challenge_id: the challenge that was answered; None means the one that is open.

        Raises:
            UnknownSessionError: there is none, or it is somebody else's.
            IllegalTransitionError: no transfer is under way.
            ProofError: what is wrong, each with its own code.
        """
        refused: ProofError | None = None
        resynchronization: tuple[bytes, bytes] | None = None
        async with self._database.transaction() as connection:
            session = await find_session(connection, session_id, user_id)
            if session.storage_proof is not None:
                return session
            _require_transferring(session)
            esim = await find_esim(connection, session.esim_id)
            opened = await _take_challenge(connection, session.session_id)
            record = await get_record(connection, session.session_id)
            stale = opened is not None and challenge_id not in (None, opened.rand.hex())
            if opened is None or stale or record is None:
                refused = NoChallengeError("this challenge is used up or too old: ask for a new one")
            else:
                refused, auts = judge(responses, esim.iccid, record, opened.xres)
                resynchronization = None if auts is None else (opened.rand, auts)
            if refused is None and resynchronization is None:
                session = await self._accept(connection, session, esim)
            elif isinstance(refused, (WrongCardError, RecordDiffersError, WrongResponseError)):
                await move_session(connection, session, SessionEvent.TRANSFER_FAILED, refused.message)
        if resynchronization is not None:
            await self._resynchronize(esim, *resynchronization)
        if refused is not None:
            raise refused
        return session

    async def _accept(self, connection: AsyncConnection, session: InternetSession, esim: ESim) -> InternetSession:
        await move_profile(connection, esim.esim_id, ProfileEvent.INSTALL)
        await connection.execute(
            internet_session.update()
            .where(internet_session.c.session_id == session.session_id)
            .values(storage_proof=StorageProof.APDU_READ_BACK)
        )
        await work.ask_to_prove_storage(connection, session)
        return await find_session(connection, session.session_id)

    async def _resynchronize(self, esim: ESim, rand: bytes, auts: bytes) -> None:
        try:
            await self._authentication_centre.resynchronize(esim.imsi, rand, auts)
        except ResynchronizationRefusedError:
            raise WrongResponseError(
                "the card's resynchronisation token was not made with the subscriber's keys"
            ) from None
        raise CardResynchronisedError("the card asked for resynchronisation and got it: ask for a new challenge")


def storage_script(rand: bytes, autn: bytes) -> tuple[ScriptedCommand, ...]:
    """Return the commands (TS 102.221, 11.1; TS 31.102, 7.1.2): ICCID, the first session record, AUTHENTICATE."""
    path = DF_KSWIFI + EF_SESSIONS
    return (
        ScriptedCommand("select MF", bytes.fromhex("00A4000C023F00")),
        ScriptedCommand("select EF.ICCID", bytes.fromhex("00A4000C022FE2")),
        ScriptedCommand("read the ICCID", bytes.fromhex("00B000000A")),
        ScriptedCommand("select the USIM", bytes.fromhex("00A4040C") + bytes([len(USIM_AID)]) + USIM_AID),
        ScriptedCommand("select EF.SESSIONS", bytes.fromhex("00A4090C") + bytes([len(path)]) + path),
        ScriptedCommand("read the first session record", bytes([0x00, 0xB2, 1, 0x04, SESSION_RECORD_FILE_OCTETS])),
        ScriptedCommand("authenticate", bytes.fromhex("0088008122") + b"\x10" + rand + b"\x10" + autn + b"\x00"),
    )


def judge(
    responses: list[bytes], iccid: Iccid, record: bytes, xres: bytes
) -> tuple[ProofError | None, bytes | None]:
    """Return what speaks against the answers, or None; and AUTS where the card asked for resynchronisation."""
    script = storage_script(bytes(16), bytes(16))
    if len(responses) != len(script) or any(not 2 <= len(it) <= RESPONSE_LIMIT_OCTETS for it in responses):
        return ProofMalformedError(f"send a response APDU for each of the {len(script)} commands"), None
    for command, response in zip(script, responses, strict=True):
        if response[-2:] != _OK:
            status = response[-2:].hex().upper()
            return CardRefusedError(f"the card answered {status} to: {command.name}", status=status), None
    answers = [response[:-2] for response in responses]
    if not hmac.compare_digest(answers[_READ_ICCID], iccid.to_bytes()):
        return WrongCardError(f"the card's ICCID is not {iccid}", iccid=iccid), None
    if not hmac.compare_digest(answers[_READ_RECORD], pad(record, SESSION_RECORD_FILE_OCTETS)):
        return RecordDiffersError("the record on the card is not the signed one"), None
    authenticated = answers[_AUTHENTICATE]
    if not authenticated:
        return ProofMalformedError("the answer to authenticate is empty"), None
    value = authenticated[2 : 2 + authenticated[1]] if len(authenticated) > 1 else b""
    if authenticated[0] == _SYNCHRONISATION_FAILURE:
        return None, value
    if authenticated[0] != _SUCCESS or not hmac.compare_digest(value, xres):
        return WrongResponseError("RES is not what the subscriber's keys give: this is another card"), None
    return None, None


def _require_transferring(session: InternetSession) -> None:
    if session.state is not SessionState.TRANSFERRING:
        raise IllegalTransitionError(
            f"an internet session that is {session.state} is not waiting for its card's proof",
            state=str(session.state),
            event=str(SessionEvent.STORAGE_PROVED),
        )


async def _take_challenge(connection: AsyncConnection, session_id: str) -> _Open | None:
    """Return the open challenge and close it, None if there is none or it is too old."""
    t = storage_challenge.c
    query = select(t.rand, t.xres, t.expires_at).where(t.session_id == session_id)
    row = (await connection.execute(query)).one_or_none()
    await connection.execute(delete(storage_challenge).where(t.session_id == session_id))
    if row is None or row.expires_at <= transaction_instant(connection):
        return None
    return _Open(row.rand, row.xres)
