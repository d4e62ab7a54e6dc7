"""What a command works on: the card's state, its logical channels, and the codes verified since power-on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from kswifi.euicc.apdu import Status, StatusError
from kswifi.euicc.chaining import Chain
from kswifi.euicc.es10.transaction import RspTransaction
from kswifi.euicc.files import access
from kswifi.euicc.state import CardState, Directory, ElementaryFile, Pin, RemoteManagement
from kswifi.scp80.sms import Segment

CHANNELS: Final = 4  # the basic channel and three more (TS 102 221, 11.1.17)
_LOCAL: Final = 0x80


@dataclass(slots=True)
class Transfer:
    """A data object between two blocks (TS 102 221, 11.3): of one file, in one direction."""

    file: ElementaryFile
    storing: bool
    octets: bytearray
    """The object as far as it came; when it is read, all of it."""
    expected: int
    """How many octets it has."""
    before: int = 0
    """Where the block before began, which may be asked for, or sent, once more."""
    position: int = 0


@dataclass(slots=True)
class Channel:
    """One logical channel: where it stands in the files, or that the ISD-R is selected on it."""

    path: list[Directory] = field(default_factory=list)
    """From the MF to the current directory; empty where no profile is enabled."""
    file: ElementaryFile | None = None
    record: int = 0
    """The record pointer; 0 where it is not set."""
    isd_r: bool = False
    ara_m: bool = False
    remote: RemoteManagement | None = None
    """On the channel of a secured packet's script alone: what it may reach without codes."""
    response: bytes = b""
    """What GET RESPONSE will fetch."""
    ending: int = Status.OK
    """What the answer ends with once all of its data is out."""
    stored: bytearray = field(default_factory=bytearray)
    """The blocks of a STORE DATA command so far."""
    blocks: int = 0
    chain: Chain | None = None
    """The parts of a chained command so far."""
    transfer: Transfer | None = None
    """A data object of a BER-TLV file that is on its way, block by block."""

    def application(self) -> Directory | None:
        """Return the ADF that the channel stands in, if any."""
        return next((directory for directory in self.path if directory.aid is not None), None)


class CardSession:
    """The time between two power-ons of a card: channels and verified codes are lost with it."""

    def __init__(self, state: CardState, save: Callable[[CardState], None]) -> None:
        self.state = state
        self._save = save
        self.channels: dict[int, Channel] = {}
        self._verified: set[tuple[bytes, int]] = set()
        self._together = False
        self.rsp: RspTransaction | None = None
        self.segments: dict[int, Segment] = {}
        """The parts of one concatenated message so far, by their number."""
        self.start()

    def start(self) -> None:
        """Begin at the enabled profile's MF with the basic channel alone and nothing verified."""
        self._verified.clear()
        self._together = False
        self.segments = {}
        self.rsp = None
        self.channels = {0: self.new_channel()}

    def new_channel(self) -> Channel:
        """Return a channel that stands at the MF of the enabled profile."""
        profile = self.state.enabled_profile()
        return Channel(path=[] if profile is None else [profile.mf])

    def profile_switched(self) -> None:
        """Take all channels away from the old profile's files; where the ISD-R is selected it stays so."""
        self._verified.clear()
        for channel in self.channels.values():
            channel.path, channel.file, channel.record = self.new_channel().path, None, 0
            channel.transfer = None
            channel.ara_m = False
        self.segments = {}

    def commit(self) -> None:
        """Make the state durable; only then may the command be answered.

        Raises:
            StatusError: it could not be written; the card then goes on from what is on disk.
        """
        if not self._together:
            self._save(self.state)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make everything that is committed inside durable at once, at the end: all of it or nothing."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        self.commit()

    def pins(self, channel: Channel) -> dict[int, Pin]:
        """Return the codes that can be verified where a channel stands: global ones and those on its path."""
        return {pin.key_reference: pin for directory in channel.path for pin in directory.pins}

    def mark_verified(self, channel: Channel, reference: int, *, verified: bool) -> None:
        """Remember, or forget, that a code was presented."""
        key = self._key(channel, reference)
        if verified:
            self._verified.add(key)
        else:
            self._verified.discard(key)

    def is_satisfied(self, channel: Channel, reference: int) -> bool:
        """Tell whether a code was presented, or is not asked for (TS 102 221, 9.5.1)."""
        pin = self.pins(channel).get(reference)
        if pin is None:
            return False
        return not pin.enabled or self._key(channel, reference) in self._verified

    def require_access(self, channel: Channel, file: ElementaryFile, mode: int) -> None:
        """Check a file's access rule; a script of a secured packet has its own.

        Raises:
            StatusError: the rule does not allow it now.
        """
        if channel.remote is not None:
            application = channel.application()
            of_its_adf = application is not None and application.aid == channel.remote.adf_aid
            if channel.remote.reaches_adf if of_its_adf else channel.remote.reaches_shared and application is None:
                return
            raise StatusError(Status.SECURITY_NOT_SATISFIED)
        rule = self._rule(channel, file)
        if not access.allows(rule, mode, lambda reference: self.is_satisfied(channel, reference)):
            raise StatusError(Status.SECURITY_NOT_SATISFIED)

    def _rule(self, channel: Channel, file: ElementaryFile) -> bytes:
        """Return the record of EF.ARR that a file names: looked for from the file's directory upward."""
        for directory in reversed(channel.path):
            rules = directory.file(file.arr_file)
            if rules is not None:
                return rules.record(file.arr_record) if 1 <= file.arr_record <= rules.records else b""
        return b""

    @staticmethod
    def _key(channel: Channel, reference: int) -> tuple[bytes, int]:
        application = channel.application() if reference & _LOCAL else None
        return (b"" if application is None or application.aid is None else application.aid, reference)
