"""The persistent state of a card, and its encoding for storage.

Mutable structures: a command changes them and makes them durable before its answer. The encoding is
MessagePack, decoded with type checks, so that a file with other content is refused.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from kswifi.euicc.errors import CardDamagedError

FORMAT_VERSION: Final = 2
_FILE_OVERHEAD_OCTETS: Final = 32


class ElementaryFile(msgspec.Struct):
    """An elementary file: ``ber_tlv``; or transparent if ``record_octets`` is 0; else linear fixed or ``cyclic``.

    ``arr_file`` is the EF.ARR with its access rule, ``arr_record`` the record's number from 1. ``link``: the
    path from the MF of the file whose content this one shows (TS 102 222, tag C7); its own content is then
    empty. The content of a BER-TLV file is a sequence of data objects. It can grow beyond ``reserved_octets``
    up to ``maximum_octets``; 0 means that only the card's memory limits it.
    """

    file_id: bytes
    sfi: int | None
    arr_file: bytes
    arr_record: int
    record_octets: int
    content: bytes
    cyclic: bool = False
    link: bytes = b""
    ber_tlv: bool = False
    reserved_octets: int = 0
    maximum_octets: int = 0

    @property
    def records(self) -> int:
        """Return the number of records."""
        return len(self.content) // self.record_octets if self.record_octets else 0

    def octets(self) -> int:
        """Return the octets of card memory that the file uses."""
        return max(len(self.content), self.reserved_octets)

    def record(self, number: int) -> bytes:
        """Return a record by its number from 1, which must exist."""
        start = (number - 1) * self.record_octets
        return self.content[start : start + self.record_octets]

    def write(self, offset: int, data: bytes) -> None:
        """Overwrite a part of the content; the part must lie inside it."""
        self.content = self.content[:offset] + data + self.content[offset + len(data) :]


class Pin(msgspec.Struct):
    """A PIN or administrative key with its retry counter."""

    key_reference: int
    value: bytes
    enabled: bool
    attempts: int
    attempts_left: int
    puk_reference: int | None


class Puk(msgspec.Struct):
    """A code that unblocks PINs, with its retry counter."""

    key_reference: int
    value: bytes
    attempts: int
    attempts_left: int


class Authentication(msgspec.Struct):
    """The keys of a USIM, and for each IND the highest SEQ accepted (TS 33.102, annex C)."""

    k: bytes
    opc: bytes
    sequence_numbers: list[int]
    delta: int
    """How much a new SEQ may exceed the highest accepted one: protection against wrap-around."""
    test_algorithm: bool = False
    """True for the test algorithm (TS 34.108, 8.1.2) instead of Milenage; it has no OPc."""


class Directory(msgspec.Struct):
    """The MF, a DF, or an ADF if ``aid`` is set; ``pins`` are those defined here (global ones in the MF)."""

    file_id: bytes
    aid: bytes | None
    arr_file: bytes
    arr_record: int
    pin_status: bytes
    pins: list[Pin]
    files: list[ElementaryFile]
    directories: list["Directory"]
    authentication: Authentication | None = None
    keys_of: bytes = b""
    """The AID of the application whose keys this one shares, empty if it has its own (SAIP, MappingParameter)."""

    def walk(self) -> Iterator["Directory"]:
        """Yield this directory and all below it."""
        yield self
        for directory in self.directories:
            yield from directory.walk()

    def file(self, file_id: bytes) -> ElementaryFile | None:
        """Return the elementary file of this directory with this identifier."""
        return next((file for file in self.files if file.file_id == file_id), None)


class DomainKey(msgspec.Struct):
    """A key of a security domain. Its version is the key set of SCP80; identifier 1 is KIc, 2 is KID."""

    version: int
    identifier: int
    key_type: int
    value: bytes


class RemoteManagement(msgspec.Struct):
    """An application for secured packets: its TARs, their minimum security level, and the files it can access.

    ``adf_aid`` is the application in which scripts start; empty for the MF.
    """

    tars: list[bytes]
    minimum_security_level: int
    adf_aid: bytes
    reaches_adf: bool
    reaches_shared: bool


def file_at(mf: Directory, path: bytes) -> ElementaryFile | None:
    """Return the elementary file at a path of identifiers from the MF; an ADF has a temporary identifier."""
    identifiers = [path[start : start + 2] for start in range(0, len(path), 2)]
    directory: Directory | None = mf
    for identifier in identifiers[:-1]:
        found = [] if directory is None else directory.directories
        directory = next((each for each in found if each.file_id == identifier), None)
    return None if directory is None or not identifiers else directory.file(identifiers[-1])


class Profile(msgspec.Struct):
    """A profile on the card: its names, files and codes.

    ``packet_counters`` are the highest accepted counters by key set; ``access_rules`` are the rules of its
    ARA-M.

    ``metadata`` is StoreMetadataRequest as received (SGP.22, 5.5.3). ``issuer_key_id`` is the CI under which
    the profile was downloaded and under which its notifications are signed; empty for a profile that was
    loaded directly.
    """

    iccid: bytes
    isdp_aid: bytes
    enabled: bool
    metadata: bytes
    issuer_key_id: bytes
    mf: Directory
    puks: list[Puk]
    nickname: str = ""
    keys: list[DomainKey] = []
    remote_management: list[RemoteManagement] = []
    packet_counters: dict[int, int] = {}
    access_rules: list[bytes] = []

    def octets(self) -> int:
        """Return the octets of card memory that the profile uses."""
        directories = list(self.mf.walk())
        files = [file for directory in directories for file in directory.files]
        overhead = _FILE_OVERHEAD_OCTETS * (len(directories) + len(files))
        return len(self.metadata) + sum(file.octets() for file in files) + overhead


class EuiccIdentity(msgspec.Struct):
    """CERT.EUICC and CERT.EUM under one CI, and SK.EUICC as PKCS #8 (SGP.22, 2.4.2)."""

    issuer_key_id: bytes
    certificate: bytes
    eum_certificate: bytes
    private_key: bytes


class StoredNotification(msgspec.Struct):
    """A notification that is not yet acknowledged; ``octets`` is the whole PendingNotification."""

    sequence_number: int
    event: int
    install_result: bool
    metadata: bytes
    octets: bytes


class CardState(msgspec.Struct):
    """The state of a card.

    ``identities`` and ``issuers`` (CERT.CI) belong to the ECASD. ``one_time_key`` is otSK.EUICC (PKCS #8) of a
    download that was prepared and did not end, kept for another try; empty if there is none.
    """

    version: int
    eid: str
    memory_octets: int
    next_isdp: int
    profiles: list[Profile]
    identities: list[EuiccIdentity]
    issuers: list[bytes]
    default_smdp_address: str = ""
    one_time_key: bytes = b""
    next_sequence_number: int = 1
    notifications: list[StoredNotification] = []

    def enabled_profile(self) -> Profile | None:
        """Return the enabled profile, the only one whose files are accessible, or None."""
        return next((profile for profile in self.profiles if profile.enabled), None)

    def free_octets(self) -> int:
        """Return the free octets of card memory."""
        return self.memory_octets - sum(profile.octets() for profile in self.profiles)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(CardState)


def encode_state(state: CardState) -> bytes:
    """Encode a card's state for storage."""
    return _ENCODER.encode(state)


def decode_state(octets: bytes) -> CardState:
    """Decode a card's stored state.

    Raises:
        CardDamagedError: the octets are not a card's state, or of an unknown version.
    """
    try:
        state = _DECODER.decode(octets)
    except msgspec.MsgspecError as error:
        raise CardDamagedError("the card's state cannot be read") from error
    if state.version != FORMAT_VERSION:
        raise CardDamagedError("the card's state has another format", version=state.version)
    return state
