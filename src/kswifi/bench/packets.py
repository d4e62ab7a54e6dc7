"""The packets of `kswifi bench rsp`: the cost of a secured packet and of its proof for the server.

There are two figures for each: the cryptography only; and the service with its database on disk, where a packet is
one transaction (it takes a counter) and its proof another (it makes the session stored). HTTP is not included. The
card's side is computed here too, with the card's keys, and not counted.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, insert, update

from kswifi.accounts.sql import user_account
from kswifi.database.engine import Database, sqlite_url, transaction_instant
from kswifi.database.migrate import migrate
from kswifi.esim.lines.packets import SECURITY, CardPackets, ProofResult
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.lines.vault import VAULT_KEY_OCTETS, SubscriberVault
from kswifi.esim.model import ProfileState
from kswifi.esim.sql import esim
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.ids import uuid7
from kswifi.kernel.numbers import Iccid, luhn_digit
from kswifi.rsp.saip.build import SESSION_RECORDS
from kswifi.rsp.session_record import RECORD_OCTETS
from kswifi.scp80 import packets, scripts, sms
from kswifi.scp80.packets import Keys, ResponsePacket, ResponseStatus
from kswifi.sessions.card import slots
from kswifi.sessions.card.packets import CardRecords, HandedPacket
from kswifi.sessions.model import InternetSession, SessionState
from kswifi.sessions.store import add_session

_OK: Final = b"\x90\x00"
_ENVELOPE_HEADER_OCTETS: Final = 5
_READ_BACK: Final = 3
_DIGITS: Final = "899990100000000001"
_T = TypeVar("_T")


class PacketBenchError(KswifiError):
    """The server did not accept a card's proof."""

    code = "packet_bench_failed"


@dataclass
class _Spent:
    """Wall-clock and CPU seconds of the measured work."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Lines:
    """A user, and eSIMs whose cards lack session records."""

    user_id: str
    esim_ids: tuple[str, ...]


def run_packets(cards: int) -> dict[str, float | int]:
    """Write all session records of ``cards`` cards with secured packets; return the figures.

    Raises:
        PacketBenchError: a proof was not accepted.
    """
    vault = SubscriberVault(os.urandom(VAULT_KEY_OCTETS))
    with tempfile.TemporaryDirectory(prefix="kswifi-bench-") as folder:
        count, made, proved = asyncio.run(_serve(Path(folder), vault, cards))
    make_us, check_us = _cryptography(CardPackets(vault), vault, count)
    return {
        "packets_per_s": round(count / (made.seconds + proved.seconds), 1),
        "server_cpu_ms_per_packet": round((made.cpu_seconds + proved.cpu_seconds) / count * 1000, 2),
        "packet_make_cpu_us": round(make_us, 1),
        "packet_proof_cpu_us": round(check_us, 1),
        "packets": count,
    }


async def _serve(folder: Path, vault: SubscriberVault, cards: int) -> tuple[int, _Spent, _Spent]:
    database = Database(sqlite_url(folder / "control.db"))
    made, proved = _Spent(), _Spent()
    count = 0
    try:
        await migrate(database)
        lines = await database.write(lambda connection: _lines(connection, EsimOrders(vault), cards))
        records = CardRecords(database, CardPackets(vault))
        while True:
            asked = [records.next_packet(lines.user_id, esim_id) for esim_id in lines.esim_ids]
            handed = [each for each in await _measured(made, asked) if each is not None]
            if not handed:
                return count, made, proved
            answers = [_as_a_card(vault, each) for each in handed]
            brought = [
                records.take_answer(lines.user_id, esim_id, packet.packet_id, answer)
                for esim_id, packet, answer in zip(lines.esim_ids, handed, answers, strict=True)
            ]
            if any(proof.result is not ProofResult.PROVED for proof in await _measured(proved, brought)):
                raise PacketBenchError("a card's proof was not taken")
            count += len(handed)
    finally:
        await database.close()


async def _measured(spent: _Spent, work: Sequence[Awaitable[_T]]) -> list[_T]:
    began, cpu = time.perf_counter(), time.process_time()
    done = await asyncio.gather(*work)
    spent.seconds += time.perf_counter() - began
    spent.cpu_seconds += time.process_time() - cpu
    return list(done)


def _lines(connection: Connection, orders: EsimOrders, cards: int) -> _Lines:
    """Add installed eSIMs, each with sessions whose records its card lacks."""
    now = transaction_instant(connection)
    user_id = str(uuid7(now))
    unusable = {"email": "bench@kswifi.invalid", "password_hash": "-", "recovery_code_hash": bytes(32)}
    connection.execute(insert(user_account).values(user_id=user_id, created_at=now, **unusable))
    lines = [orders.allocate(connection, user_id) for _ in range(cards)]
    connection.execute(update(esim).values(profile_state=ProfileState.INSTALLED))
    for line in lines:
        for _ in range(SESSION_RECORDS):
            session = InternetSession(
                session_id=str(uuid7(now)),
                user_id=user_id,
                esim_id=line.esim_id,
                offer_id="free-1gb",
                free=True,
                allowance_octets=10**9,
                state=SessionState.TRANSFERRING,
                state_reason=None,
                ordered_at=now,
                valid_until=now + timedelta(days=30),
                package_sha256=None,
                package_octets=None,
                storage_proof=None,
                activated_at=None,
            )
            add_session(connection, session, session.session_id)
            slots.take_place(connection, line.esim_id, session.session_id, os.urandom(RECORD_OCTETS))
    return _Lines(user_id, tuple(line.esim_id for line in lines))


def _as_a_card(vault: SubscriberVault, handed: HandedPacket) -> bytes:
    """Open a packet as its card does; return the proof of the record that it has written."""
    return _proof(_keys(vault, Iccid(handed.iccid)), handed.envelopes)


def _keys(vault: SubscriberVault, iccid: Iccid) -> Keys:
    keys = vault.packet_keys(iccid)
    return Keys(keys.kic, keys.kid)


def _proof(keys: Keys, envelopes: Sequence[bytes]) -> bytes:
    segments = [sms.read_deliver(sms.read_envelope(each[_ENVELOPE_HEADER_OCTETS:])) for each in envelopes]
    command = packets.open_command(sms.join(segments), keys)
    written = scripts.read_script(command.data).commands[1][_ENVELOPE_HEADER_OCTETS:]
    said = scripts.encode_answer([(b"", 0x9000)] * (_READ_BACK - 1) + [(written, 0x9000)], expanded=False)
    answer = ResponsePacket(tar=command.tar, counter=command.counter, status=ResponseStatus.POR_OK, data=said)
    return sms.report(packets.encode_response(answer, SECURITY, command.kic, command.kid, keys)) + _OK


def _cryptography(made_by: CardPackets, vault: SubscriberVault, count: int) -> tuple[float, float]:
    """Return the CPU time, in microseconds, to make a packet and to verify a proof."""
    iccid, content = Iccid(_DIGITS + luhn_digit(_DIGITS)), os.urandom(RECORD_OCTETS)
    answer = _proof(_keys(vault, iccid), made_by.write(iccid, 1, 2, content))
    if made_by.read(iccid, 1, content, answer).result is not ProofResult.PROVED:
        raise PacketBenchError("a card's proof was not taken")
    make = _repeated(count, lambda: made_by.write(iccid, 1, 2, content))
    return make, _repeated(count, lambda: made_by.read(iccid, 1, content, answer))


def _repeated(count: int, work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - began) / count * 1e6
