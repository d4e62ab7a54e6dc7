"""Execute the ledger's part of transfers: send, receive, return.

Each command has an id derived from the transfer, so an entry that is executed twice has its effect once. A lost
answer is unknown, and the same command is asked again; only a definite refusal of a Receive leads to a return.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from kswifi.database.engine import Database
from kswifi.free_data.transfers import defund_received, fund_received, take_back_octets
from kswifi.ledger.commands import Command, Outcome, OutcomeCode, Receive, Send
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.ledger.ports import LedgerCommands
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.people import jobs, store
from kswifi.people.model import OctetTransfer, TransferEvent, TransferKind, TransferState, allows
from kswifi.people.returns import WENT_BACK, begin_return, end_receiver
from kswifi.sessions import jobs as session_jobs
from kswifi.sessions.model import LIVE_STATES, InternetSession
from kswifi.sessions.store import find_session, get_balance, note_sent

GIVEN_AWAY: Final = "given away"
MOVED: Final = "moved to a new eSIM"


class TransferHandlers:
    """Executes the outbox entries of transfers, and receives octets for sessions whose card proved its storage."""

    def __init__(self, database: Database, ledger: LedgerCommands) -> None:
        self._database = database
        self._ledger = ledger

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind of entry."""
        return {jobs.SEND: self.send, jobs.RETURN: self.give_back}

    async def send(self, entry: Entry) -> JobResult:
        """Take the octets out of the giver's account; after a refusal the transfer has ended."""
        transfer = await self._find(entry)
        if transfer is None or transfer.state is not TransferState.OFFERED:
            return Done()
        outcome = await self._command(
            Send(
                transfer.command_id("send"),
                transfer.from_session_id,
                transfer.octets,
                transfer.name,
                from_frozen=transfer.kind is TransferKind.MOVE,
            )
        )
        if isinstance(outcome, Unknown):
            return outcome
        if outcome.code is OutcomeCode.DONE:
            await self._database.write(lambda connection: _note_sent(connection, transfer))
            return Done()
        await self._database.write(lambda connection: _note_send_refused(connection, transfer, outcome.code))
        return Refused(f"the ledger refused it: {outcome.code}")

    async def receive(self, session: InternetSession) -> JobResult:
        """Book the octets into the account of a session whose card proved that it stores it."""
        transfer = await self._database.write(lambda connection: _begin_receiving(connection, session.session_id))
        if transfer is None or transfer.state is TransferState.RECEIVED:
            return Done()
        if transfer.state is TransferState.OFFERED:
            return Unknown("the octets are not sent yet")
        if transfer.state is not TransferState.RECEIVING:
            return Refused(WENT_BACK)
        outcome = await self._command(
            Receive(transfer.command_id("receive"), session.session_id, transfer.octets, transfer.name)
        )
        if isinstance(outcome, Unknown):
            return outcome
        if outcome.code is OutcomeCode.DONE:
            await self._database.write(lambda connection: _note_received(connection, transfer))
            return Done()
        await self._database.write(lambda connection: _note_receive_refused(connection, transfer))
        return Refused(f"the ledger refused it: {outcome.code}")

    async def give_back(self, entry: Entry) -> JobResult:
        """Book the octets into the giver's account again. If that has ended, they lapse with it."""
        transfer = await self._find(entry)
        if transfer is None or transfer.state is not TransferState.RETURNING:
            return Done()
        outcome = await self._command(
            Receive(transfer.command_id("return"), transfer.from_session_id, transfer.octets, transfer.name)
        )
        if isinstance(outcome, Unknown):
            return outcome
        # A refusal means that the account is forgotten: it ended so long ago that its octets lapsed.
        await self._database.write(lambda connection: _note_returned(connection, transfer))
        return Done()

    async def _find(self, entry: Entry) -> OctetTransfer | None:
        transfer_id = str(entry.payload["transfer_id"])
        return await self._database.read(lambda connection: store.find_transfer(connection, transfer_id))

    async def _command(self, command: Command) -> Outcome | Unknown:
        try:
            return await self._ledger.execute(command)
        except (LedgerBusyError, LedgerClosedError, LedgerFailedError) as error:
            return Unknown(error.message)


def _note_sent(connection: Connection, read: OctetTransfer) -> None:
    sent = store.change_state(connection, read, TransferEvent.SENT)
    if sent is None:
        return
    if sent.reason is not None:  # withdrawn before the ledger answered
        begin_return(connection, sent, sent.reason)
    elif sent.to_session_id is not None:
        store.change_state(connection, sent, TransferEvent.CLAIMED)


def _note_send_refused(connection: Connection, read: OctetTransfer, code: OutcomeCode) -> None:
    refused = store.change_state(connection, read, TransferEvent.SEND_REFUSED, reason=str(code), kobo=0)
    if refused is not None:
        _restore(connection, read)
        end_receiver(connection, refused)


def _begin_receiving(connection: Connection, session_id: str) -> OctetTransfer | None:
    """Move a claimed transfer to ``receiving``, with its money; return it as it is then."""
    transfer = store.find_into(connection, session_id)
    if transfer is None or not allows(transfer.state, TransferEvent.PROVED):
        return transfer
    receiving = store.change_state(connection, transfer, TransferEvent.PROVED, kobo=0)
    if receiving is not None:
        fund_received(connection, session_id, transfer.kobo, transfer.octets)
    return receiving or store.find_into(connection, session_id)


def _note_received(connection: Connection, read: OctetTransfer) -> None:
    """Note that the octets arrived; end the giver's session if nothing is left of it and nothing can come back."""
    if store.change_state(connection, read, TransferEvent.RECEIVED) is None:
        return
    giver = find_session(connection, read.from_session_id)
    balance, _ = get_balance(connection, giver.session_id)
    moved = read.kind is TransferKind.MOVE
    # All that a moved session had available was sent, and its line is frozen.
    is_empty = moved or not (balance.available or balance.reserved or balance.withheld)
    if giver.state in LIVE_STATES and is_empty and not store.has_open_out_of(connection, giver.session_id):
        session_jobs.ask_to_revoke(connection, giver, MOVED if moved else GIVEN_AWAY)


def _note_receive_refused(connection: Connection, read: OctetTransfer) -> None:
    assert read.to_session_id is not None  # noqa: S101 - one that is received has its session
    kobo = defund_received(connection, read.to_session_id)
    returning = store.change_state(connection, read, TransferEvent.RECEIVE_REFUSED, reason=jobs.REFUSED, kobo=kobo)
    if returning is not None:
        end_receiver(connection, returning)
        jobs.ask_to_return(connection, returning)


def _note_returned(connection: Connection, read: OctetTransfer) -> None:
    if store.change_state(connection, read, TransferEvent.RETURNED, kobo=0) is not None:
        _restore(connection, read)


def _restore(connection: Connection, transfer: OctetTransfer) -> None:
    """Give octets and money back to the giver's session in the control plane."""
    note_sent(connection, transfer.from_session_id, -transfer.octets)
    take_back_octets(
        connection,
        transfer.from_session_id,
        transfer.octets,
        transfer.kobo,
        withheld_octets=transfer.withheld_octets,
        to_others=transfer.kind is TransferKind.GIFT,
    )
