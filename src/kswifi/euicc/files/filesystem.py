"""SELECT, STATUS, READ and UPDATE (TS 102 221, 11.1.1 to 11.1.6)."""

from typing import Final

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.euicc.files import access
from kswifi.euicc.files.fcp import CURRENT_ADF_ID, MF_ID, describe_directory, describe_file
from kswifi.euicc.state import Directory, ElementaryFile, file_at
from kswifi.rsp import tlv
from kswifi.rsp.access_rules import ARA_M_AID

ISD_R_AID: Final = bytes.fromhex("A0000005591010FFFFFFFF8900000100")
SVN: Final = (2, 5, 0)
# GlobalPlatform 11.9.3.1, and ISDRProprietaryApplicationTemplate with the version of SGP.22 (5.7.1)
_ISD_R_CONTROL_INFORMATION: Final = tlv.encode(
    0x6F, tlv.encode(0x84, ISD_R_AID), tlv.encode(0xA5), tlv.encode(0xE0, tlv.encode(0x82, bytes(SVN)))
)
_ARA_M_CONTROL_INFORMATION: Final = tlv.encode(0x6F, tlv.encode(0x84, ARA_M_AID), tlv.encode(0xA5))
_NO_DATA: Final = 0x0C
_FCP: Final = 0x04
_FIRST_OR_ONLY: Final = 0x00
_PATH_OCTETS_MAX: Final = 12
_AID_OCTETS_MIN: Final = 5
_NEXT, _PREVIOUS, _ABSOLUTE = 2, 3, 4


def select(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Select by identifier, parent, name or path; return the FCP template, or nothing if P2 asks for none."""
    channel.transfer = None
    if command.p1 == 0x04:
        return _select_application(session, channel, command)
    if command.p2 not in (_FCP, _NO_DATA):
        raise StatusError(Status.INCORRECT_P1_P2)
    if not channel.path:
        raise StatusError(Status.FILE_NOT_FOUND)
    path, file = _find(channel, command)
    channel.path, channel.file, channel.record, channel.isd_r, channel.ara_m = path, file, 0, False, False
    return _describe(session, channel) if command.p2 == _FCP else b""


def _find(channel: Channel, command: Command) -> tuple[list[Directory], ElementaryFile | None]:
    data = command.data
    match command.p1:
        case 0x00 if len(data) == 2:
            return _by_identifier(channel, data)
        case 0x03 if not data:
            return (channel.path[:-1] or channel.path), None
        case 0x08 | 0x09 if data and len(data) % 2 == 0 and len(data) <= _PATH_OCTETS_MAX:
            start = channel.path[:1] if command.p1 == 0x08 else list(channel.path)
            return _by_path(channel, start, data)
        case 0x00 | 0x03 | 0x08 | 0x09:
            raise StatusError(Status.WRONG_LENGTH)
    raise StatusError(Status.INCORRECT_P1_P2)


def _by_identifier(channel: Channel, file_id: bytes) -> tuple[list[Directory], ElementaryFile | None]:
    """Search in the order of TS 102 221, 8.4.1: children, parent, parent's children, current directory, MF, ADF."""
    if file_id == MF_ID:
        return channel.path[:1], None
    if file_id == CURRENT_ADF_ID:
        return _adf_path(channel), None
    here = channel.path
    for path in (here, here[:-1]):
        if path:
            found = _child(path, file_id)
            if found is not None and (
                path is here or found[1] is None
            ):  # of the parent's children, only directories can be selected
                return found
            if path[-1].file_id == file_id and path[-1].aid is None:
                return path, None
    raise StatusError(Status.FILE_NOT_FOUND)


def _by_path(
    channel: Channel, start: list[Directory], data: bytes
) -> tuple[list[Directory], ElementaryFile | None]:
    path, file = start, None
    for offset in range(0, len(data), 2):
        file_id = data[offset : offset + 2]
        if file is not None:
            raise StatusError(Status.FILE_NOT_FOUND)
        if offset == 0 and file_id == CURRENT_ADF_ID:
            path = _adf_path(channel)
            continue
        found = _child(path, file_id)
        if found is None:
            raise StatusError(Status.FILE_NOT_FOUND)
        path, file = found
    return path, file


def _child(path: list[Directory], file_id: bytes) -> tuple[list[Directory], ElementaryFile | None] | None:
    file = path[-1].file(file_id)
    if file is not None:
        return path, file
    for directory in path[-1].directories:
        # The temporary identifier of an ADF is only for loading the profile; an ADF is selected by its name.
        if directory.file_id == file_id and directory.aid is None:
            return [*path, directory], None
    return None


def _adf_path(channel: Channel) -> list[Directory]:
    for depth, directory in enumerate(channel.path):
        if directory.aid is not None:
            return channel.path[: depth + 1]
    raise StatusError(Status.FILE_NOT_FOUND)


def _select_application(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Select an application by its name (AID), which may be truncated on the right."""
    if command.p2 & ~_NO_DATA != _FIRST_OR_ONLY:
        raise StatusError(Status.INCORRECT_P1_P2)
    if not _AID_OCTETS_MIN <= len(command.data) <= len(ISD_R_AID):
        raise StatusError(Status.WRONG_LENGTH)
    if ISD_R_AID.startswith(command.data):
        fresh = session.new_channel()
        channel.path, channel.file, channel.record = fresh.path, None, 0
        channel.isd_r, channel.ara_m = True, False
        return b"" if command.p2 == _NO_DATA else _ISD_R_CONTROL_INFORMATION
    profile = session.state.enabled_profile()
    if profile is not None and profile.access_rules and ARA_M_AID.startswith(command.data):
        channel.path, channel.file, channel.record = [profile.mf], None, 0
        channel.isd_r, channel.ara_m = False, True
        return b"" if command.p2 == _NO_DATA else _ARA_M_CONTROL_INFORMATION
    for adf in [] if profile is None else profile.mf.directories:
        if profile is not None and adf.aid is not None and adf.aid.startswith(command.data):
            channel.path, channel.file, channel.record = [profile.mf, adf], None, 0
            channel.isd_r = channel.ara_m = False
            return b"" if command.p2 == _NO_DATA else _describe(session, channel)
    raise StatusError(Status.FILE_NOT_FOUND)


def _describe(session: CardSession, channel: Channel) -> bytes:
    if channel.file is not None:
        return describe_file(channel.file, shown_file(session, channel.file))
    return describe_directory(channel.path[-1], session.pins(channel))


def status(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Return the FCP template of the current directory (TS 102 221, 11.1.2)."""
    if not channel.path:
        raise StatusError(Status.FILE_NOT_FOUND)
    if command.p1 > 0x02:
        raise StatusError(Status.INCORRECT_P1_P2)
    match command.p2:
        case 0x00:
            return describe_directory(channel.path[-1], session.pins(channel))
        case 0x01:
            application = channel.application()
            name = None if application is None else application.aid
            return b"" if name is None else tlv.encode(0x84, name)
        case 0x0C:
            return b""
    raise StatusError(Status.INCORRECT_P1_P2)


def read_binary(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Read a transparent file from an offset; 6Cxx gives the available length if Le is too large."""
    file, offset = _transparent(session, channel, command, access.READ)
    if command.data:
        raise StatusError(Status.WRONG_LENGTH)
    rest = len(file.content) - offset
    wanted = command.le or 256
    if wanted > rest and wanted != 256:
        raise StatusError(0x6C00 | rest & 0xFF)
    return file.content[offset : offset + wanted]


def update_binary(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Overwrite a part of a transparent file. Durable."""
    file, offset = _transparent(session, channel, command, access.UPDATE)
    if not command.data or offset + len(command.data) > len(file.content):
        raise StatusError(Status.WRONG_LENGTH)
    file.write(offset, command.data)
    session.commit()
    return b""


def _transparent(session: CardSession, channel: Channel, command: Command, mode: int) -> tuple[ElementaryFile, int]:
    if command.p1 & 0x80:
        if command.p1 & 0x60:
            raise StatusError(Status.INCORRECT_P1_P2)
        select_short(channel, command.p1 & 0x1F)
        offset = command.p2
    else:
        offset = command.p1 << 8 | command.p2
    selected = current_file(channel)
    file = shown_file(session, selected)
    if file.record_octets or file.ber_tlv:
        raise StatusError(Status.INCOMPATIBLE_WITH_FILE)
    session.require_access(channel, selected, mode)
    if offset >= len(file.content):
        raise StatusError(Status.WRONG_OFFSET)
    return file, offset


def read_record(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Read one record."""
    file, number = _record(session, channel, command, access.READ)
    if command.data:
        raise StatusError(Status.WRONG_LENGTH)
    if command.le not in (None, 256, file.record_octets):
        raise StatusError(0x6C00 | file.record_octets)
    return file.record(number)


def update_record(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Overwrite one record; in a cyclic file the oldest, which becomes the first. Durable."""
    file, number = _record(session, channel, command, access.UPDATE)
    if len(command.data) != file.record_octets:
        raise StatusError(Status.WRONG_LENGTH)
    if file.cyclic:
        if command.p2 & 0x07 != _PREVIOUS:  # TS 102 221, 11.1.6.1
            raise StatusError(Status.INCORRECT_P1_P2)
        file.content = command.data + file.content[: -file.record_octets]
        channel.record = 1
    else:
        file.write((number - 1) * file.record_octets, command.data)
    session.commit()
    return b""


def _record(session: CardSession, channel: Channel, command: Command, mode: int) -> tuple[ElementaryFile, int]:
    if command.p2 & 0xF8:
        select_short(channel, command.p2 >> 3)
    selected = current_file(channel)
    file = shown_file(session, selected)
    if not file.record_octets:
        raise StatusError(Status.INCOMPATIBLE_WITH_FILE)
    number = _record_number(channel, file, command)
    session.require_access(channel, selected, mode)
    if command.p2 & 0x07 != _ABSOLUTE:
        channel.record = number
    return file, number


def _record_number(channel: Channel, file: ElementaryFile, command: Command) -> int:
    """Return the record number that P1 and P2 select (TS 102 221, 11.1.5): absolute, current, next or previous."""
    mode = command.p2 & 0x07
    if mode == _ABSOLUTE:
        number = command.p1 or channel.record
    elif command.p1:
        raise StatusError(Status.INCORRECT_P1_P2)
    elif mode == _NEXT:
        number = channel.record + 1
    elif mode == _PREVIOUS:
        number = (channel.record or file.records + 1) - 1
    else:
        raise StatusError(Status.INCORRECT_P1_P2)
    if file.cyclic and mode != _ABSOLUTE:
        number = (number - 1) % file.records + 1
    if not 1 <= number <= file.records:
        raise StatusError(Status.RECORD_NOT_FOUND)
    return number


def select_short(channel: Channel, sfi: int) -> None:
    """Select the file with this short identifier in the current directory."""
    if not channel.path:
        raise StatusError(Status.FILE_NOT_FOUND)
    found = next((file for file in channel.path[-1].files if file.sfi == sfi), None)
    if found is None:
        raise StatusError(Status.FILE_NOT_FOUND)
    if found is not channel.file:
        channel.file, channel.record, channel.transfer = found, 0, None


def shown_file(session: CardSession, file: ElementaryFile) -> ElementaryFile:
    """Return the file that has the content: the file itself, or its link target."""
    profile = session.state.enabled_profile()
    target = file_at(profile.mf, file.link) if file.link and profile is not None else file
    if target is None:
        raise StatusError(Status.FILE_NOT_FOUND)
    return target


def current_file(channel: Channel) -> ElementaryFile:
    """Return the selected file.

    Raises:
        StatusError: no file is selected.
    """
    if channel.file is None:
        raise StatusError(Status.NO_EF_SELECTED)
    return channel.file
