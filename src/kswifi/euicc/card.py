"""The eUICC: it processes command APDUs and stores its state durably before each answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from kswifi.euicc import ara_m, envelope
from kswifi.euicc.apdu import Command, Status, StatusError, parse_command
from kswifi.euicc.chaining import join
from kswifi.euicc.channel import CHANNELS, CardSession, Channel
from kswifi.euicc.errors import CardCredentialsError, ProfileRefusedError
from kswifi.euicc.es10 import isd_r
from kswifi.euicc.es10.credentials import CardCredentials, stored_identities
from kswifi.euicc.files import data_objects, filesystem
from kswifi.euicc.profiles.installing import FIRST_ISDP, new_profile
from kswifi.euicc.state import FORMAT_VERSION, CardState, decode_state, encode_state
from kswifi.euicc.storage import Storage
from kswifi.euicc.usim import identity, security
from kswifi.kernel.numbers import Eid, Iccid

MEMORY_OCTETS: Final = 512 * 1024
_GET_RESPONSE: Final = 0xC0
_ENVELOPE: Final = 0xC2
_MANAGE_CHANNEL: Final = 0x70
_STORE_DATA: Final = 0xE2

_ISO_COMMANDS: Final[dict[int, Callable[[CardSession, Channel, Command], bytes]]] = {
    0x20: security.verify,
    0x2C: security.unblock,
    0x88: security.authenticate,
    0xA4: filesystem.select,
    0xB0: filesystem.read_binary,
    0xB2: filesystem.read_record,
    0xD6: filesystem.update_binary,
    0xDC: filesystem.update_record,
}
_PROPRIETARY_COMMANDS: Final[dict[int, Callable[[CardSession, Channel, Command], bytes]]] = {
    0x78: identity.get_identity,
    _ENVELOPE: envelope.envelope,
    0xCA: ara_m.get_data,
    0xCB: data_objects.retrieve_data,
    0xDB: data_objects.set_data,
    0xF2: filesystem.status,
}


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A profile that was installed and is disabled."""

    iccid: Iccid
    isdp_aid: bytes
    octets: int


class Euicc:
    """A card that is powered on; `transmit` is its only interface for commands.

    Not thread-safe. The card owns its storage: no other code may write there.
    """

    def __init__(self, storage: Storage, state: CardState) -> None:
        self._storage = storage
        self._session = CardSession(state, self._save)

    @classmethod
    def create(
        cls,
        storage: Storage,
        eid: Eid,
        memory_octets: int = MEMORY_OCTETS,
        credentials: CardCredentials | None = None,
    ) -> Self:
        """Make an empty card and power it on. If that fails, the storage is closed.

        A card without credentials trusts no server: it can only install packages by `load_profile_package`.

        Raises:
            CardExistsError: the storage has a card.
            CardCredentialsError: the credentials belong to another card.
        """
        if credentials is not None and credentials.eid != eid:
            storage.close()
            raise CardCredentialsError("these certificates are another card's", eid=eid, certified=credentials.eid)
        state = CardState(
            version=FORMAT_VERSION,
            eid=str(eid),
            memory_octets=memory_octets,
            next_isdp=FIRST_ISDP,
            profiles=[],
            identities=[] if credentials is None else stored_identities(credentials.identities),
            issuers=[] if credentials is None else [issuer.raw for issuer in credentials.issuers],
        )
        return cls._powered(storage, state, new=True)

    @classmethod
    def open(cls, storage: Storage) -> Self:
        """Power on an existing card. If that fails, the storage is closed.

        Raises:
            CardMissingError: the storage has no card.
            CardDamagedError: the stored state is corrupt.
        """
        return cls._powered(storage, None, new=False)

    @classmethod
    def _powered(cls, storage: Storage, state: CardState | None, *, new: bool) -> Self:
        try:
            if state is None:
                state = decode_state(storage.load())
            if new:
                storage.create(encode_state(state))
            return cls(storage, state)
        except BaseException:
            storage.close()
            raise

    def close(self) -> None:
        """Power the card off and close its storage."""
        self._storage.close()

    def reset(self) -> None:
        """Power-cycle the card: channels, verified codes and a running transaction are lost."""
        self._session.start()

    def transmit(self, command: bytes) -> bytes:
        """Process one command APDU; return response data and two octets of status.

        Any octets get a status word as answer (ISO/IEC 7816-4, 5.6). The state is durable before the answer.
        """
        try:
            data, status = self._run(parse_command(command))
        except StatusError as refusal:
            data, status = b"", refusal.status
        return data + status.to_bytes(2, "big")

    def load_profile_package(self, der: bytes) -> LoadResult:
        """Install an unprotected profile package, completely or not at all.

        The secured download (SGP.22, 5.7.6) uses the same last step.

        Raises:
            ProfileRefusedError: malformed, unsupported, already installed, no memory, or it could not be stored.
        """
        state = self._session.state
        profile = new_profile(state, der)
        octets = profile.octets()
        state.profiles.append(profile)
        state.next_isdp += 1
        try:
            self._session.commit()
        except StatusError as error:
            raise ProfileRefusedError("the card could not keep the profile", reason="storage_failed") from error
        return LoadResult(Iccid.from_bytes(profile.iccid), profile.isdp_aid, octets)

    def _save(self, state: CardState) -> None:
        try:
            self._storage.save(encode_state(state))
        except OSError:
            # The state in memory could not be stored: reload the stored state, as after power-on.
            self._session.state = decode_state(self._storage.load())
            self._session.start()
            raise StatusError(Status.MEMORY_PROBLEM) from None

    def _run(self, command: Command) -> tuple[bytes, int]:
        channel = self._session.channels.get(command.channel)
        if channel is None:
            raise StatusError(Status.CHANNEL_NOT_SUPPORTED)
        open_chain, channel.chain = channel.chain, None  # any command closes the open chain, unless it continues it
        channel.chain, whole = join(open_chain, command)
        if whole is None:
            channel.response = b""
            return b"", Status.OK
        command = whole
        if command.ins == _GET_RESPONSE:
            return _get_response(channel, command)
        channel.response, channel.ending = b"", Status.OK
        if command.ins == _MANAGE_CHANNEL and not command.proprietary:
            return self._manage_channel(command), Status.OK
        data = _handler(channel, command)(self._session, channel, command)
        return _deliver(channel, command, data)

    def _manage_channel(self, command: Command) -> bytes:
        """Open or close a logical channel (TS 102 221, 11.1.17)."""
        channels = self._session.channels
        match command.p1:
            case 0x00 if command.p2 == 0:
                free = next((number for number in range(1, CHANNELS) if number not in channels), None)
                if free is None:
                    raise StatusError(Status.FUNCTION_NOT_SUPPORTED)
                channels[free] = self._session.new_channel()
                return bytes([free])
            case 0x00 if command.p2 < CHANNELS and command.p2 not in channels:
                channels[command.p2] = self._session.new_channel()
                return b""
            case 0x80 if 0 < command.p2 < CHANNELS and command.p2 in channels:
                del channels[command.p2]
                return b""
        raise StatusError(Status.INCORRECT_P1_P2)


def _handler(channel: Channel, command: Command) -> Callable[[CardSession, Channel, Command], bytes]:
    if command.gsm and command.ins != _ENVELOPE:
        raise StatusError(Status.CLA_NOT_SUPPORTED)
    if command.proprietary and command.ins == _STORE_DATA and channel.isd_r:
        return isd_r.store_data
    table = _PROPRIETARY_COMMANDS if command.proprietary else _ISO_COMMANDS
    handler = table.get(command.ins)
    if handler is None:
        known = command.ins in _ISO_COMMANDS or command.ins in _PROPRIETARY_COMMANDS
        raise StatusError(Status.CLA_NOT_SUPPORTED if known else Status.INS_NOT_SUPPORTED)
    return handler


def _deliver(channel: Channel, command: Command, data: bytes) -> tuple[bytes, int]:
    """Return the response data if Le asks for them, else 61xx with the length that GET RESPONSE can fetch."""
    if not data:
        return b"", Status.OK
    if command.gsm:  # TS 51.011, 9.4.1: this class has no Le; 9Fxx announces data for GET RESPONSE
        channel.response = data
        return b"", 0x9F00 | len(data) & 0xFF
    if not command.data:
        if command.le is not None and command.le < len(data):
            raise StatusError(0x6C00 | len(data) & 0xFF)
        return data, channel.ending
    now = data[: command.le or 0]
    channel.response = data[len(now) :]
    return now, _remaining(channel)


def _get_response(channel: Channel, command: Command) -> tuple[bytes, int]:
    if command.p1 or command.p2 or command.data:
        raise StatusError(Status.INCORRECT_P1_P2)
    if not channel.response:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    wanted = command.le or 256
    now, channel.response = channel.response[:wanted], channel.response[wanted:]
    return now, _remaining(channel)


def _remaining(channel: Channel) -> int:
    rest = len(channel.response)
    if not rest:
        return channel.ending
    return 0x6100 | (rest if rest < 256 else 0)
