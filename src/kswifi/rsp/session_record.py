"""The session record: the signed right to an InternetSession, stored in the card's EF.SESSIONS.

The layout is fixed, 123 octets (docs/session-record.md), because a card reads the file by records and each
octet costs time in APDUs. The signature is ES256 (RFC 7518, 3.4): raw r || s over all octets before it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Iccid, InvalidNumberError

VERSION: Final = 1
UNSIGNED_OCTETS: Final = 59
SIGNATURE_OCTETS: Final = 64
RECORD_OCTETS: Final = UNSIGNED_OCTETS + SIGNATURE_OCTETS
KEY_ID_OCTETS: Final = 8
STATE_VERSION: Final = 1
STATE_OCTETS: Final = 12

_PADDING: Final = b"\xff"
_UNCAPPED: Final = (1 << 64) - 1


class SessionRecordError(KswifiError):
    """A session record that is not valid."""

    code = "session_record_error"


class MalformedRecordError(SessionRecordError):
    """The octets are not a session record."""

    code = "session_record_malformed"


class BadSignatureError(SessionRecordError):
    """The record was changed, or was not signed with this key."""

    code = "session_record_bad_signature"


class UnknownKeyError(SessionRecordError):
    """The record names another key than the given one."""

    code = "session_record_unknown_key"


class RecordStatus(IntEnum):
    """The status of an InternetSession when its record was written last."""

    STORED = 1
    ACTIVE = 2
    PAUSED = 3
    ENDED = 4
    """Exhausted, expired or revoked: the record may be overwritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordState:
    """The unsigned part of a record: the status of the InternetSession, and when it was written.

    It is not signed, since it comes in a secured packet whose checksum only the server can compute. ``place``
    is the position in the order of use, from 1; 0 if not in it. ``as_of`` is in Unix seconds.
    """

    status: RecordStatus
    place: int
    continue_with_next: bool
    as_of: int

    def encode(self) -> bytes:
        """Return the 12 octets of the state, which follow the signed record.

        Raises:
            MalformedRecordError: a field is out of range.
        """
        if not 0 <= self.place <= 0xFE or not 0 <= self.as_of < 1 << 64:
            raise MalformedRecordError("a place in the order has one octet, an instant eight")
        head = bytes([STATE_VERSION, self.status, self.place, self.continue_with_next])
        return head + self.as_of.to_bytes(8, "big")

    @classmethod
    def parse(cls, octets: bytes) -> Self | None:
        """Parse the octets after a signed record; None if they are all FF, as in a new profile.

        Raises:
            MalformedRecordError: they are neither a state nor all FF.
        """
        if not octets.strip(_PADDING):
            return None
        state, padding = octets[:STATE_OCTETS], octets[STATE_OCTETS:]
        if len(state) != STATE_OCTETS or state[0] != STATE_VERSION or state[3] > 1 or padding.strip(_PADDING):
            raise MalformedRecordError("behind a session record are its state of version 1 and FF, or FF alone")
        try:
            status = RecordStatus(state[1])
        except ValueError:
            raise MalformedRecordError("a session record has a state that is not known here") from None
        return cls(
            status=status,
            place=state[2],
            continue_with_next=bool(state[3]),
            as_of=int.from_bytes(state[4:], "big"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """The fields of one InternetSession's record.

    ``allowance_octets`` is None for an uncapped InternetSession. Instants are Unix seconds; ``valid_until``
    is the first second at which the record is no longer valid.
    """

    session_id: UUID
    iccid: Iccid
    allowance_octets: int | None
    valid_from: int
    valid_until: int
    key_id: bytes
    signature: bytes = b""

    def encode_unsigned(self) -> bytes:
        """Return the 59 octets that the signature covers.

        Raises:
            MalformedRecordError: a field is out of range.
        """
        allowance = _UNCAPPED if self.allowance_octets is None else self.allowance_octets
        if not 0 <= allowance <= _UNCAPPED or (allowance == _UNCAPPED and self.allowance_octets is not None):
            raise MalformedRecordError("an allowance has 64 bits, and all ones mean uncapped")
        if not 0 <= self.valid_from < self.valid_until < 1 << 64:
            raise MalformedRecordError("a session record ends after it begins, in seconds since 1970")
        if len(self.key_id) != KEY_ID_OCTETS:
            raise MalformedRecordError(f"a key id has {KEY_ID_OCTETS} octets, not {len(self.key_id)}")
        return b"".join(
            (
                bytes([VERSION]),
                self.session_id.bytes,
                self.iccid.to_bytes(),
                allowance.to_bytes(8, "big"),
                self.valid_from.to_bytes(8, "big"),
                self.valid_until.to_bytes(8, "big"),
                self.key_id,
            )
        )

    def encode(self) -> bytes:
        """Return the 123 octets of a signed record, without the padding of the card's file.

        Raises:
            MalformedRecordError: it is not signed, or a field is out of range.
        """
        if len(self.signature) != SIGNATURE_OCTETS:
            raise MalformedRecordError("the session record is not signed")
        return self.encode_unsigned() + self.signature

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """Parse a record without verifying its signature; state and padding after it are ignored.

        Raises:
            MalformedRecordError: its length, version or a field is invalid.
        """
        if not octets or octets[0] != VERSION:
            raise MalformedRecordError("this is no session record of version 1")
        record = octets[:RECORD_OCTETS]
        if len(record) != RECORD_OCTETS:
            raise MalformedRecordError(f"a session record has {RECORD_OCTETS} octets")
        RecordState.parse(octets[RECORD_OCTETS:])
        allowance = int.from_bytes(record[27:35], "big")
        try:
            iccid = Iccid(Iccid.from_bytes(record[17:27]))  # an ICCID of our own lines has a valid check digit
        except InvalidNumberError as error:
            raise MalformedRecordError(f"the session record's {error.message}") from error
        parsed = cls(
            session_id=UUID(bytes=record[1:17]),
            iccid=iccid,
            allowance_octets=None if allowance == _UNCAPPED else allowance,
            valid_from=int.from_bytes(record[35:43], "big"),
            valid_until=int.from_bytes(record[43:51], "big"),
            key_id=record[51:59],
            signature=record[UNSIGNED_OCTETS:],
        )
        if parsed.encode() != record:
            raise MalformedRecordError("the session record is not in its one canonical form")
        return parsed


def key_id(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a key's identifier: the first eight octets of the SHA-256 of its SubjectPublicKeyInfo (DER)."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return digest.finalize()[:KEY_ID_OCTETS]


def sign(record: SessionRecord, private_key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the signed record, 123 octets. Deterministic (RFC 6979): the same record gives the same octets.

    Raises:
        MalformedRecordError: a field is out of range.
        UnknownKeyError: the record names another key than this one.
    """
    if record.key_id != key_id(private_key.public_key()):
        raise UnknownKeyError("the session record names another signing key")
    unsigned = record.encode_unsigned()
    r, s = utils.decode_dss_signature(
        private_key.sign(unsigned, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    )
    return unsigned + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(octets: bytes, public_key: ec.EllipticCurvePublicKey) -> SessionRecord:
    """Verify a record's signature and return the record; a state and padding may follow it.

    Raises:
        MalformedRecordError: it is not a session record.
        UnknownKeyError: it names another key.
        BadSignatureError: it was changed, or another key signed it.
    """
    record = SessionRecord.parse(octets)
    if record.key_id != key_id(public_key):
        raise UnknownKeyError("the session record was signed with a key that is not known here")
    r, s = (int.from_bytes(record.signature[i : i + 32], "big") for i in (0, 32))
    try:
        public_key.verify(utils.encode_dss_signature(r, s), record.encode_unsigned(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadSignatureError("the session record's signature is wrong: it was altered") from error
    return record


def pad(record: bytes, record_octets: int) -> bytes:
    """Return a record padded with FF to the record length of the card's file.

    Raises:
        MalformedRecordError: it is longer than that.
    """
    if len(record) > record_octets:
        raise MalformedRecordError("the session record is longer than the card's file allows")
    return record.ljust(record_octets, _PADDING)


def state_of(octets: bytes) -> RecordState | None:
    """Return the state in a whole record of the card's file, or None.

    Raises:
        MalformedRecordError: the octets after the signed record are not a state.
    """
    return RecordState.parse(octets[RECORD_OCTETS:])


def is_empty_record(octets: bytes) -> bool:
    """Tell whether a record of the card's file is empty (all FF)."""
    return not octets.strip(_PADDING)
