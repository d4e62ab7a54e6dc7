"""Command chaining: the class octet marks a command whose data come in several APDUs (ISO/IEC 7816-4, 5.3.3)."""

from dataclasses import dataclass, field, replace
from typing import Final

from kswifi.euicc.apdu import CHAINING, Command, Status, StatusError

CHAIN_MAX_OCTETS: Final = 8192
_NOT_CHAINED: Final = (0x70, 0xC0)  # MANAGE CHANNEL and GET RESPONSE carry no data


@dataclass(slots=True)
class Chain:
    """The parts received so far of one command; all parts have the same instruction and parameters."""

    header: tuple[int, int, int]
    """CLA without the chaining bit; P1 and P2 together; INS."""
    data: bytearray = field(default_factory=bytearray)


def join(chain: Chain | None, command: Command) -> tuple[Chain | None, Command | None]:
    """Add a command to a channel's chain; return (the chain if still open, the command if complete).

    A command that does not continue the open chain discards it and is processed normally.

    Raises:
        StatusError: the command cannot be chained, or its parts are too long; the caller discards the chain.
    """
    header = (command.cla & ~CHAINING, command.p1 << 8 | command.p2, command.ins)
    if chain is None or chain.header != header:
        if not command.chained:
            return None, command
        if command.ins in _NOT_CHAINED:
            raise StatusError(Status.CHAINING_NOT_SUPPORTED)
        chain = Chain(header)
    if len(chain.data) + len(command.data) > CHAIN_MAX_OCTETS:
        raise StatusError(Status.WRONG_LENGTH)
    chain.data += command.data
    if command.chained:
        return chain, None
    return None, replace(command, data=bytes(chain.data))
