"""Bound profile packages: the server's side protects a profile for one card; the card's side opens it in pieces.

A package (BF36) is a sequence of protected commands (SGP.22, 2.5 and 5.5): BF23 InitialiseSecureChannel, with
which both sides derive the session keys; A0 ConfigureISDP (87 segments); A1 StoreMetadata (88, only
authenticated); optionally A2 ReplaceSessionKeys (87), which switches to the profile protection keys; A3 the
profile elements (86). The two sides share only the code of ``bsp.py``, so that tests can check each against
the other, and against packages and cards of other makers.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.rsp import bsp, curves, signatures, tlv
from kswifi.rsp.errors import (
    BoundProfileRefusedError,
    BspSecurityError,
    BspStructureError,
    RspDecodeError,
    SignatureRefusedError,
)
from kswifi.rsp.fields import ONE_TIME_KEY, only
from kswifi.rsp.messages import bound_profile_package as bpp
from kswifi.rsp.messages.metadata import TAG_STORE_METADATA
from kswifi.rsp.messages.notifications import BppCommand, InstallError

MAX_COMMAND_OCTETS: Final = 16_384  # metadata with an icon, names and service data are much shorter
_MAX_HEADER_OCTETS: Final = 7  # a tag of three octets and a length of four

_T = TypeVar("_T")
Steps = Generator[None, None, _T]
Opening = Callable[[int, bytes], bytes]


@dataclass(frozen=True, slots=True)
class CardBinding:
    """The card for which a package is bound: its transaction, its EID (16 octets) and its one-time key."""

    transaction_id: bytes
    eid: bytes
    euicc_otpk: bytes
    host_id: bytes


def bind_profile(
    profile: bytes,
    metadata: bytes,
    *,
    card: CardBinding,
    one_time_key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    protection_keys: bsp.BspKeys | None,
) -> bytes:
    """Return the bound profile package (BF36) of an unprotected profile package.

    ``one_time_key`` is otSK.DP.ECKA, ``signing_key`` the key of CERT.DPpb. ``protection_keys`` are fresh
    random PPKs; with None the session keys also protect the profile (SGP.22, 2.5.3).

    Raises:
        RspDecodeError: the card's one-time key is not a point on the server's curve.
    """
    secret = curves.shared_secret(one_time_key, card.euicc_otpk)
    protector = bsp.BspProtector(bsp.derive_session_keys(secret, host_id=card.host_id, eid=card.eid))
    head = bpp.secure_channel_head(
        transaction_id=card.transaction_id, host_id=card.host_id, smdp_otpk=curves.point_octets(one_time_key)
    )
    # The signature also covers the card's one-time key, so the package is valid only for this card (SGP.22, 5.5.1).
    signature = signatures.sign(signing_key, head + tlv.encode(ONE_TIME_KEY, card.euicc_otpk))
    configure = protector.encrypt(bsp.TAG_ENCRYPTED_COMMAND, bpp.CONFIGURE_ISDP)
    stored = protector.authenticate(bsp.TAG_AUTHENTICATED, metadata)
    replaced: list[bytes] = []
    if protection_keys is not None:
        replaced = protector.encrypt(bsp.TAG_ENCRYPTED_COMMAND, bpp.encode_replace_session_keys(protection_keys))
        protector = bsp.BspProtector(protection_keys)
    elements = protector.encrypt(bsp.TAG_ENCRYPTED_PROFILE, profile)
    initialise = bpp.InitialiseSecureChannel.build(head, signature)
    return bpp.encode_bound_profile_package(initialise, configure, stored, replaced, elements)


@dataclass(frozen=True, slots=True)
class IspdConfigured:
    """ConfigureISDP is complete: the card may create an ISD-P."""

    request: bytes


@dataclass(frozen=True, slots=True)
class MetadataStored:
    """StoreMetadata is complete: the card may refuse the profile by its metadata."""

    request: bytes


@dataclass(frozen=True, slots=True)
class ProfileOctets:
    """The next octets of the profile package, in order. Boundaries need not be those of profile elements."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class PackageComplete:
    """The last segment was opened: the profile is complete."""


Opened = IspdConfigured | MetadataStored | ProfileOctets | PackageComplete


@dataclass(frozen=True, slots=True)
class CardSecrets:
    """The card's secrets for one download, from PrepareDownload on."""

    transaction_id: bytes
    eid: bytes
    one_time_key: ec.EllipticCurvePrivateKey = field(repr=False)
    smdp_public_key: ec.EllipticCurvePublicKey = field(repr=False)


class PackageOpener:
    """Opens a bound profile package as its octets arrive, in pieces of any size.

    It keeps at most one segment (2 KB) and the metadata in memory, in addition to the given piece. An error
    has the data that the card must sign in its ProfileInstallationResult. After an error, no more octets are
    accepted.
    """

    def __init__(self, card: CardSecrets) -> None:
        self._card = card
        self._buffer = b""
        self._offset = 0
        self._position = 0
        self._last_header = b""
        self._command = BppCommand.INITIALISE_SECURE_CHANNEL
        self._opened: list[Opened] = []
        self._steps = self._open_package()
        self._ended = False

    def feed(self, octets: bytes) -> list[Opened]:
        """Add the next octets; return what could be opened with them.

        Raises:
            BoundProfileRefusedError: with the command and the reason to report.
        """
        if self._ended:
            raise self._refused("nothing may follow the end of a package", InstallError.INCORRECT_INPUT_VALUES)
        self._buffer, self._offset = self._buffer[self._offset :] + octets, 0
        try:
            next(self._steps)
        except StopIteration:
            self._ended = True
        except BspSecurityError as error:
            self._ended = True
            raise self._refused(error.message, InstallError.SCP03T_SECURITY_ERROR) from error
        except BspStructureError as error:
            self._ended = True
            raise self._refused(error.message, InstallError.SCP03T_STRUCTURE_ERROR) from error
        except RspDecodeError as error:
            self._ended = True
            raise self._refused(error.message, InstallError.INCORRECT_INPUT_VALUES) from error
        except BoundProfileRefusedError:
            self._ended = True
            raise
        opened, self._opened = self._opened, []
        return opened

    def _refused(self, message: str, reason: InstallError) -> BoundProfileRefusedError:
        return BoundProfileRefusedError(message, command=self._command, reason=reason)

    def _open_package(self) -> Steps[None]:
        """Process the package; each ``yield`` waits for more octets."""
        end = yield from self._enter(bpp.TAG_BOUND_PROFILE_PACKAGE)
        opener = self._agree((yield from self._whole(bpp.TAG_INITIALISE_SECURE_CHANNEL)))

        self._command = BppCommand.CONFIGURE_ISDP
        request = yield from self._joined(bpp.TAG_FIRST_87, bsp.TAG_ENCRYPTED_COMMAND, opener.decrypt)
        self._opened.append(IspdConfigured(only(request, bpp.TAG_CONFIGURE_ISDP, "ConfigureISDP").raw))

        self._command = BppCommand.STORE_METADATA
        request = yield from self._joined(bpp.TAG_88, bsp.TAG_AUTHENTICATED, opener.verify)
        self._opened.append(MetadataStored(only(request, TAG_STORE_METADATA, "StoreMetadata").raw))

        tag, elements_end = yield from self._header()
        if tag == bpp.TAG_SECOND_87:
            self._command = BppCommand.REPLACE_SESSION_KEYS
            request = yield from self._segments(elements_end, bsp.TAG_ENCRYPTED_COMMAND, opener.decrypt)
            opener = bsp.BspOpener(bpp.decode_replace_session_keys(request))
            tag, elements_end = yield from self._header()

        self._command = BppCommand.LOAD_PROFILE_ELEMENTS
        if tag != bpp.TAG_86 or elements_end != end:
            raise BspStructureError("profile elements must come last and fill the package", tag=f"{tag:X}")
        while self._position < end:
            segment = yield from self._whole(bsp.TAG_ENCRYPTED_PROFILE, end)
            self._opened.append(ProfileOctets(opener.decrypt(bsp.TAG_ENCRYPTED_PROFILE, segment)))
        if self._offset != len(self._buffer):
            raise BspStructureError("octets follow the package")
        self._opened.append(PackageComplete())

    def _agree(self, octets: bytes) -> bsp.BspOpener:
        """Check InitialiseSecureChannel and derive the session keys (SGP.22, 5.5.1)."""
        request = bpp.InitialiseSecureChannel.decode(octets)
        otpk = curves.point_octets(self._card.one_time_key)
        try:
            signatures.verify(self._card.smdp_public_key, request.signature, request.signed_octets(otpk))
        except SignatureRefusedError as error:
            raise self._refused(error.message, InstallError.INVALID_SIGNATURE) from error
        if request.remote_operation != bpp.INSTALL_BOUND_PROFILE_PACKAGE:
            raise self._refused("unknown operation", InstallError.UNSUPPORTED_REMOTE_OPERATION_TYPE)
        if request.transaction_id != self._card.transaction_id:
            raise self._refused("another transaction", InstallError.INVALID_TRANSACTION_ID)
        if (request.key_type, request.key_length) != (bsp.KEY_TYPE_AES, bsp.KEY_OCTETS):
            raise self._refused("keys that are not AES-128", InstallError.UNSUPPORTED_CRT_VALUES)
        secret = curves.shared_secret(self._card.one_time_key, request.smdp_otpk)
        return bsp.BspOpener(bsp.derive_session_keys(secret, host_id=request.host_id, eid=self._card.eid))

    def _joined(self, container: int, tag: int, opening: Opening) -> Steps[bytes]:
        """Open all segments of one container and return their joined contents."""
        end = yield from self._enter(container)
        return (yield from self._segments(end, tag, opening))

    def _segments(self, end: int, tag: int, opening: Opening) -> Steps[bytes]:
        if end - self._position > MAX_COMMAND_OCTETS:
            raise BspStructureError("a command is too long", octets=end - self._position)
        parts = bytearray()
        while self._position < end:
            parts += opening(tag, (yield from self._whole(tag, end)))
        return bytes(parts)

    def _enter(self, expected: int) -> Steps[int]:
        """Read the header of a container; return the offset of its end."""
        tag, end = yield from self._header()
        if tag != expected:
            raise BspStructureError(f"expected {expected:X}, found {tag:X}", tag=f"{tag:X}")
        return end

    def _whole(self, expected: int, limit: int | None = None) -> Steps[bytes]:
        """Read one complete data object, which must end inside its container."""
        start = self._position
        end = yield from self._enter(expected)
        if end - start > bsp.MAX_ACCEPTED_OCTETS or (limit is not None and end > limit):
            raise BspStructureError("a data object is too long", tag=f"{expected:X}", octets=end - start)
        missing = end - self._position
        while len(self._buffer) - self._offset < missing:
            yield
        # The header may have come in an earlier piece, so rebuild the object from header and value.
        value = self._buffer[self._offset : self._offset + missing]
        self._offset += missing
        self._position = end
        return self._last_header + value

    def _header(self) -> Steps[tuple[int, int]]:
        """Read a tag and a length; return the tag and the offset of the value's end."""
        while (header := self._header_in_buffer()) is None:
            yield
        tag, value, length = header
        self._last_header = self._buffer[self._offset : value]
        self._position += value - self._offset
        self._offset = value
        return tag, self._position + length

    def _header_in_buffer(self) -> tuple[int, int, int] | None:
        """Return the header at the start of the buffer; None if it is incomplete."""
        try:
            return tlv.read_header(self._buffer, self._offset)
        except tlv.TlvError as error:
            if len(self._buffer) - self._offset < _MAX_HEADER_OCTETS:
                return None
            raise BspStructureError(error.message, **error.facts) from None
