"""RETRIEVE DATA and SET DATA: block-wise access to the data objects of BER-TLV files (TS 102 221, 11.3).

A transferred object is kept in memory and written with its last block. Its first block deletes the object
that it replaces (annex L), so after an interrupted transfer the file has neither of them.
"""

from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel, Transfer
from kswifi.euicc.files import access
from kswifi.euicc.files.filesystem import current_file, select_short, shown_file
from kswifi.euicc.state import ElementaryFile
from kswifi.rsp import tlv

_TAG_LIST: Final = 0x5C
_FIRST, _NEXT, _AGAIN = 0x80, 0x00, 0x40
_BLOCK: Final = 0xC0
_RESERVED: Final = 0x20
_SHORT_IDENTIFIER: Final = 0x1F
_CONTEXT_CLASS: Final = 0x80
_CLASS: Final = 0xC0
_TAG_MAX_OCTETS: Final = 3


def retrieve_data(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Return the first, next or (once more) previous block of an object; 62F1 means that more blocks follow."""
    transfer = channel.transfer
    if _block(command) == _FIRST:
        channel.transfer = None
        file = _file(session, channel, command, access.READ)
        transfer = channel.transfer = _begin_reading(file, command.data)
    elif transfer is None or transfer.storing:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    elif command.data or command.p2 & _SHORT_IDENTIFIER:
        raise StatusError(Status.INCORRECT_P1_P2 if not command.data else Status.WRONG_LENGTH)
    if _block(command) == _AGAIN:
        transfer.position = transfer.before
    elif transfer.position == transfer.expected:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    transfer.before = transfer.position
    block = bytes(transfer.octets[transfer.position : transfer.position + (command.le or 256)])
    transfer.position += len(block)
    if transfer.position < transfer.expected:
        channel.ending = Status.MORE_DATA_AVAILABLE
    return block


def _begin_reading(file: ElementaryFile, tag_octets: bytes) -> Transfer:
    if not tag_octets or _tag_length(tag_octets) != len(tag_octets):
        raise StatusError(Status.INCORRECT_DATA)
    tag = int.from_bytes(tag_octets, "big")
    if tag == _TAG_LIST:
        whole = tlv.encode(tag, *(tlv.encode_tag(item.tag) for item in tlv.walk(file.content)))
    else:
        whole = next((item.raw for item in tlv.walk(file.content) if item.tag == tag), b"")
    if not whole:
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    return Transfer(file, storing=False, octets=bytearray(whole), expected=len(whole))


def set_data(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Receive a block of an object; a tag alone deletes the object. 63F1 means that more blocks are expected."""
    transfer, channel.transfer = channel.transfer, None  # discarded unless this block continues it
    if not command.data:
        raise StatusError(Status.WRONG_LENGTH)
    if _block(command) == _FIRST:
        file = _file(session, channel, command, access.UPDATE)
        if _tag_length(command.data) == len(command.data):
            return _delete(session, file, command.data)
        transfer = _begin_storing(session, file, command.data)
    else:
        _go_on_storing(transfer, command)
    if transfer is None or len(transfer.octets) > transfer.expected:
        raise StatusError(Status.WRONG_LENGTH)
    if len(transfer.octets) < transfer.expected:
        channel.transfer = transfer
        raise StatusError(Status.MORE_DATA_EXPECTED)
    _keep(session, transfer)
    return b""


def _begin_storing(session: CardSession, file: ElementaryFile, block: bytes) -> Transfer:
    try:
        tag, value_offset, length = tlv.read_header(block)
    except tlv.TlvError:
        raise StatusError(Status.INCORRECT_DATA) from None
    in_der = block[:value_offset] == tlv.encode_tag(tag) + tlv.encode_length(length)
    if block[0] & _CLASS != _CONTEXT_CLASS or not in_der:  # 11.3: only context-specific tags, and lengths in DER
        raise StatusError(Status.INCORRECT_DATA)
    others = _without(file, tag)
    _require_room(session, file, len(others) + value_offset + length)
    if len(block) < value_offset + length and others != file.content:
        file.content = others
        session.commit()
    return Transfer(file, storing=True, octets=bytearray(block), expected=value_offset + length)


def _go_on_storing(transfer: Transfer | None, command: Command) -> None:
    if transfer is None or not transfer.storing:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if command.p2 & _SHORT_IDENTIFIER:
        raise StatusError(Status.INCORRECT_P1_P2)
    if _block(command) == _AGAIN:
        if not transfer.before:  # a repeated first block starts again
            raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
        del transfer.octets[transfer.before :]
    transfer.before = len(transfer.octets)
    transfer.octets += command.data


def _keep(session: CardSession, transfer: Transfer) -> None:
    whole, file = bytes(transfer.octets), transfer.file
    content = _without(file, tlv.read_header(whole)[0]) + whole
    _require_room(
        session, file, len(content)
    )  # check again: another channel may have used the memory since the first block
    file.content = content
    session.commit()


def _require_room(session: CardSession, file: ElementaryFile, octets: int) -> None:
    room = file.octets() + session.state.free_octets()
    if octets > room or (file.maximum_octets and octets > file.maximum_octets):
        raise StatusError(Status.NOT_ENOUGH_MEMORY)


def _delete(session: CardSession, file: ElementaryFile, tag_octets: bytes) -> bytes:
    others = _without(file, int.from_bytes(tag_octets, "big"))
    if others == file.content:
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    file.content = others
    session.commit()
    return b""


def _without(file: ElementaryFile, tag: int) -> bytes:
    return b"".join(item.raw for item in tlv.walk(file.content) if item.tag != tag)


def _tag_length(octets: bytes) -> int:
    """Return the length of the tag at the start of the octets; 0 if it is incomplete or too long."""
    if octets[0] & 0x1F != 0x1F:
        return 1
    for length, octet in enumerate(octets[1:_TAG_MAX_OCTETS], start=2):
        if not octet & 0x80:
            return length
    return 0


def _block(command: Command) -> int:
    """Return which block P2 requests (11.3.1.2)."""
    block = command.p2 & _BLOCK
    if command.p1 or command.p2 & _RESERVED or block not in (_FIRST, _NEXT, _AGAIN):
        raise StatusError(Status.INCORRECT_P1_P2)
    return block


def _file(session: CardSession, channel: Channel, command: Command, mode: int) -> ElementaryFile:
    if command.p2 & _SHORT_IDENTIFIER:
        select_short(channel, command.p2 & _SHORT_IDENTIFIER)
    selected = current_file(channel)
    file = shown_file(session, selected)
    if not file.ber_tlv:
        raise StatusError(Status.INCOMPATIBLE_WITH_FILE)
    session.require_access(channel, selected, mode)
    return file
