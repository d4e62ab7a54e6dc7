"""The context of a command: the card's state, its logical channels, and the codes verified since power-on."""

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
    """A block-wise transfer of one data object of a BER-TLV file, in one direction (TS 102 221, 11.3)."""

    file: ElementaryFile
    storing: bool
    octets: bytearray
    """The octets received so far; when reading, the whole object."""
    expected: int
    """The length of the object in octets."""
    before: int = 0
    """The offset of the previous block, which may be read or sent once more."""
    position: int = 0


@dataclass(slots=True)
class Channel:
    """One logical channel: its current directory and file, or the ISD-R if that is selected."""

    path: list[Directory] = field(default_factory=list)
    """From the MF to the current directory; empty if no profile is enabled."""
    file: ElementaryFile | None = None
    record: int = 0
    """The record pointer; 0 if not set."""
    isd_r: bool = False
    ara_m: bool = False
    remote: RemoteManagement | None = None
    """Set only while a secured packet's script runs: its access rights, which replace verified codes."""
    response: bytes = b""
    """The data for GET RESPONSE."""
    ending: int = Status.OK
    """The status word after all response data were fetched."""
    stored: bytearray = field(default_factory=bytearray)
    """The blocks received so far of a STORE DATA command."""
    blocks: int = 0
    chain: Chain | None = None
    """The parts received so far of a chained command."""
    transfer: Transfer | None = None
    """The running block-wise transfer of a data object of a BER-TLV file."""

    def application(self) -> Directory | None:
        """Return the ADF of the current directory, None outside any application."""
        return next((directory for directory in self.path if directory.aid is not None), None)


class CardSession:
    """The card session between two power-ons: logical channels and verified codes, which are lost at power-off."""

    def __init__(self, state: CardState, save: Callable[[CardState], None]) -> None:
        self.state = state
        self._save = save
        self.channels: dict[int, Channel] = {}
        self._verified: set[tuple[bytes, int]] = set()
        self._together = False
        self.rsp: RspTransaction | None = None
        self.segments: dict[int, Segment] = {}
        """The parts received so far of one concatenated message, by number."""
        self.start()

    def start(self) -> None:
        """Start with only the basic channel, at the enabled profile's MF, and no verified codes."""
        self._verified.clear()
        self._together = False
        self.segments = {}
        self.rsp = None
        self.channels = {0: self.new_channel()}

    def new_channel(self) -> Channel:
        """Return a new channel at the MF of the enabled profile."""
        profile = self.state.enabled_profile()
        return Channel(path=[] if profile is None else [profile.mf])

    def profile_switched(self) -> None:
        """Move all channels from the old profile's files to the new MF; a selected ISD-R stays selected."""
        self._verified.clear()
        for channel in self.channels.values():
            channel.path, channel.file, channel.record = self.new_channel().path, None, 0
            channel.transfer = None
            channel.ara_m = False
        self.segments = {}

    def commit(self) -> None:
        """Make the state durable. A command may be answered only after this.

        Raises:
            StatusError: it could not be written; the stored state is then reloaded.
        """
        if not self._together:
            self._save(self.state)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Combine all commits of the block into one write at its end."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        self.commit()

    def pins(self, channel: Channel) -> dict[int, Pin]:
        """Return the codes that can be verified in a channel's directory: global ones and those on its path."""
        return {pin.key_reference: pin for directory in channel.path for pin in directory.pins}

    def mark_verified(self, channel: Channel, reference: int, *, verified: bool) -> None:
        """Record, or clear, that a code was verified."""
        key = self._key(channel, reference)
        if verified:
            self._verified.add(key)
        else:
            self._verified.discard(key)

    def is_satisfied(self, channel: Channel, reference: int) -> bool:
        """Tell whether a code was verified or is disabled (TS 102 221, 9.5.1)."""
        pin = self.pins(channel).get(reference)
        if pin is None:
            return False
        return not pin.enabled or self._key(channel, reference) in self._verified

    def require_access(self, channel: Channel, file: ElementaryFile, mode: int) -> None:
        """Check a file's access rule, or the access rights of a secured packet's script.

        Raises:
            StatusError: the access is not allowed.
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
        """Return the record of EF.ARR to which a file refers, searched from the file's directory upward."""
        for directory in reversed(channel.path):
            rules = directory.file(file.arr_file)
            if rules is not None:
                return rules.record(file.arr_record) if 1 <= file.arr_record <= rules.records else b""
        return b""

    @staticmethod
    def _key(channel: Channel, reference: int) -> tuple[bytes, int]:
        application = channel.application() if reference & _LOCAL else None
        return (b"" if application is None or application.aid is None else application.aid, reference)
