"""The outbox entries of transfers, and the reasons for which octets go back."""

from typing import Final

from sqlalchemy import Connection

from kswifi.outbox.service import enqueue
from kswifi.people.model import OctetTransfer

SEND: Final = "transfer.send"
RETURN: Final = "transfer.return"

WITHDRAWN: Final = "withdrawn"
NOT_CLAIMED: Final = "not_claimed"
NOT_STORED: Final = "not_stored"
REFUSED: Final = "refused"


def ask_to_send(connection: Connection, transfer: OctetTransfer) -> None:
    """Request that the ledger takes the octets out of the giver's account."""
    _ask(connection, SEND, transfer)


def ask_to_return(connection: Connection, transfer: OctetTransfer) -> None:
    """Request that the ledger books the octets into the giver's account again."""
    _ask(connection, RETURN, transfer)


def _ask(connection: Connection, kind: str, transfer: OctetTransfer) -> None:
    key = transfer.command_id(kind.rpartition(".")[2])
    enqueue(connection, kind=kind, key=key, payload={"transfer_id": transfer.transfer_id})
