"""Command chaining: one command's data in several APDUs, told by the class octet (ISO/IEC 7816-4, 5.3.3)."""

from dataclasses import dataclass, field, replace
from typing import Final

from kswifi.euicc.apdu import CHAINING, Command, Status, StatusError

CHAIN_MAX_OCTETS: Final = 8192
_NOT_CHAINED: Final = (0x70, 0xC0)  # MANAGE CHANNEL and GET RESPONSE carry no data


@dataclass(slots=True)
class Chain:
    """The parts of one command so far; every part repeats the same instruction and parameters."""

    header: tuple[int, int, int]
    """CLA without the chaining bit; P1 and P2 together; INS."""
    data: bytearray = field(default_factory=bytearray)


def join(chain: Chain | None, command: Command) -> tuple[Chain | None, Command | None]:
    """Take one command on a channel; return (the chain that is still open, the command that is whole now).

    A command of another kind gives the open chain up and stands for itself, as after a reset.

    Raises:
        StatusError: this command cannot be chained, or its parts are too long; the chain is given up by the caller.
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
