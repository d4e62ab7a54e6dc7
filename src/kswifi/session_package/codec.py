"""Build and verify session packages: the right to an internet session as a signed file (docs/package-format.md).

A package is a magic number, a version, the length of a compact JWS (RFC 7515; ES256), the JWS itself, and then the
gzip-compressed chunks, one after the other, with nothing after them. The payload of the JWS is the manifest, which
lists the chunks with their digests. So no octet can be changed unnoticed: the head has one fixed form, the
signature covers the manifest, the digests cover the chunks.

This module has no clock and keeps no key; ``verify_package_file`` alone reads a file.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, KeySetSerialization

from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.numbers import Iccid
from kswifi.rsp import session_record
from kswifi.session_package.errors import (
    AnotherCardError,
    ChunkDamagedError,
    ManifestDamagedError,
    NotAPackageError,
    PackageCutShortError,
    PackageExpiredError,
    PackageVersionError,
    SurplusOctetsError,
    UnknownKeyError,
)

MAGIC: Final = b"KSWiFi\x1a"
VERSION: Final = 1
LINE_VERSION: Final = 2
"""The version of a package for a data provider's line: without ICCID, session record and activation code."""
VERSIONS: Final = (VERSION, LINE_VERSION)
MAX_PACKAGE_OCTETS: Final = 32 * 1024
MAX_MANIFEST_OCTETS: Final = 8 * 1024
MAX_CHUNK_RAW_OCTETS: Final = 64 * 1024
JWS_TYPE: Final = "kswifi-package+jws"

RECORD_CHUNK: Final = "session_record"
ACTIVATION_CHUNK: Final = "activation.json"
TERMS_CHUNK: Final = "terms.txt"
LINE_CHUNK: Final = "line.json"
CHUNK_NAMES: Final = (RECORD_CHUNK, ACTIVATION_CHUNK, TERMS_CHUNK)
LINE_CHUNK_NAMES: Final = (LINE_CHUNK, TERMS_CHUNK)

_HEAD_OCTETS: Final = len(MAGIC) + 1 + 4
_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's way to say "gzip wrapper" (RFC 1952)


class Chunk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One compressed part of a package.

    Attributes:
        name: one of ``CHUNK_NAMES``, or of ``LINE_CHUNK_NAMES`` in version 2.
        offset: where it begins, in octets from the first octet after the manifest.
        octets: its stored (compressed) length.
        sha256: the digest of its stored octets, in lower-case hexadecimal.
        raw_octets: its length after decompression.
    """

    name: str
    offset: int
    octets: int
    sha256: str
    raw_octets: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The signed part of a package: the right itself, and the digest of every chunk.

    Attributes:
        session_id: the UUID of the InternetSession.
        offer_id: the offer that was ordered.
        allowance_octets: how much may be used; None for an uncapped session.
        valid_from: when it was ordered, in whole Unix seconds.
        valid_until: the first second at which it is no longer valid, in whole Unix seconds.
        iccid: the card that it is for; None in version 2.
        size: octets of all chunks together, as stored.
        chunks: the chunks in the order in which the file holds them.
    """

    session_id: str
    offer_id: str
    allowance_octets: int | None
    valid_from: int
    valid_until: int
    iccid: str | None = None
    size: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A package after verification; ``kid`` is the thumbprint of the key that signed it (RFC 7638).

    A package for a data provider's line has no ``session_record`` and an empty ``activation``; it has ``line``.
    """

    manifest: Manifest
    kid: str
    session_record: bytes | None
    activation: Mapping[str, Any]
    terms: str
    line: Mapping[str, Any] | None = None

    @property
    def valid_until(self) -> datetime:
        """Return the instant at which the package is no longer valid."""
        return from_unix_seconds(self.manifest.valid_until)


@dataclass(frozen=True, slots=True)
class PackageContents:
    """The content of a package before it is signed; the fields are those of ``Manifest`` and of the chunks.

    ``line`` instead of ``iccid``, ``session_record`` and ``activation`` makes a package of version 2.
    """

    session_id: str
    offer_id: str
    allowance_octets: int | None
    valid_from: datetime
    valid_until: datetime
    terms: str
    iccid: Iccid | None = None
    session_record: bytes | None = None
    activation: Mapping[str, Any] | None = None
    line: Mapping[str, Any] | None = None

    @property
    def version(self) -> int:
        """The version of the package that this content makes."""
        return VERSION if self.line is None else LINE_VERSION

    def raw_chunks(self) -> dict[str, bytes]:
        """Return the chunks before compression, in the order of the file."""
        if self.line is not None:
            return {LINE_CHUNK: _json(self.line), TERMS_CHUNK: self.terms.encode()}
        if self.session_record is None or self.activation is None or self.iccid is None:
            raise ValueError("a package of version 1 has an ICCID, a session record and activation data")
        return {
            RECORD_CHUNK: self.session_record,
            ACTIVATION_CHUNK: _json(self.activation),
            TERMS_CHUNK: self.terms.encode(),
        }


def build_package(contents: PackageContents, key: ECKey) -> bytes:
    """Sign the content and return the octets of the package.

    Two calls with the same content differ in the signature only: ES256 draws a random nonce.

    Raises:
        SurplusOctetsError: the package would exceed ``MAX_PACKAGE_OCTETS`` or ``MAX_MANIFEST_OCTETS``.
    """
    raw = contents.raw_chunks()
    chunks: list[Chunk] = []
    body = bytearray()
    for name, octets in raw.items():
        stored = _compress(octets)
        digest = hashlib.sha256(stored).hexdigest()
        chunks.append(Chunk(name, len(body), len(stored), digest, len(octets)))
        body += stored
    manifest = Manifest(
        session_id=contents.session_id,
        offer_id=contents.offer_id,
        allowance_octets=contents.allowance_octets,
        valid_from=unix_seconds(contents.valid_from),
        valid_until=unix_seconds(contents.valid_until),
        iccid=None if contents.iccid is None else str(contents.iccid),
        size=len(body),
        chunks=tuple(chunks),
    )
    header = {"alg": "ES256", "typ": JWS_TYPE, "kid": key.thumbprint()}
    token = jws.serialize_compact(header, msgspec.json.encode(manifest), key, algorithms=["ES256"]).encode()
    package = MAGIC + bytes([contents.version]) + len(token).to_bytes(4, "big") + token + body
    if len(package) > MAX_PACKAGE_OCTETS or len(token) > MAX_MANIFEST_OCTETS:
        raise SurplusOctetsError(
            f"a package has at most {MAX_PACKAGE_OCTETS} octets, this one has {len(package)}", octets=len(package)
        )
    return package


def verify_package(data: bytes, public_keys: KeySet, iccid: str | None, now: datetime | None) -> VerifiedPackage:
    """Verify a package and return its content.

    The manifest is used only after its signature proved right. A damaged package is reported as damaged even if it
    has also expired or is for another card.

    Args:
        data: the whole file.
        public_keys: the keys to trust (the server's JWKS).
        iccid: the card that the package must be for; None accepts any.
        now: the instant at which it must be valid; None to ignore its validity.

    Raises:
        NotAPackageError, PackageVersionError, PackageCutShortError, SurplusOctetsError, UnknownKeyError,
        ManifestDamagedError, ChunkDamagedError, AnotherCardError, PackageExpiredError: the reason of the refusal.
    """
    version, token, body = _split(data)
    key, manifest = _read_manifest(token, public_keys)
    if len(body) < manifest.size:
        missing = manifest.size - len(body)
        raise PackageCutShortError(
            f"the package is cut short: {missing} octets are missing", missing_octets=missing
        )
    if len(body) > manifest.size:
        surplus = len(body) - manifest.size
        raise SurplusOctetsError(f"{surplus} octets follow the last chunk", surplus_octets=surplus)
    names = CHUNK_NAMES if version == VERSION else LINE_CHUNK_NAMES
    if (manifest.iccid is None) is (version == VERSION):
        raise ManifestDamagedError(f"the manifest is not one of version {version}")
    raw = _read_chunks(manifest, body, names)
    if version == VERSION:
        _check_record(manifest, raw[RECORD_CHUNK], key)
    if iccid is not None and manifest.iccid is not None and iccid != manifest.iccid:
        raise AnotherCardError(
            f"the package is for the card {manifest.iccid}, not for {iccid}", iccid=manifest.iccid, this_iccid=iccid
        )
    if now is not None and unix_seconds(now) >= manifest.valid_until:
        until = from_unix_seconds(manifest.valid_until).isoformat()
        raise PackageExpiredError(f"the package was valid until {until}", valid_until=until)
    kid, terms = key.thumbprint(), raw[TERMS_CHUNK].decode()
    if version == LINE_VERSION:
        return VerifiedPackage(manifest, kid, None, {}, terms, json.loads(raw[LINE_CHUNK]))
    return VerifiedPackage(manifest, kid, raw[RECORD_CHUNK], json.loads(raw[ACTIVATION_CHUNK]), terms)


def verify_package_file(
    path: Path, public_keys: KeySet, iccid: str | None, now: datetime | None
) -> VerifiedPackage:
    """Verify a package on disk, as ``verify_package`` does. Reads at most one octet beyond the largest package.

    Raises:
        OSError: a file cannot be read.
        PackageError: as ``verify_package``.
    """
    with path.open("rb") as file:
        data = file.read(MAX_PACKAGE_OCTETS + 1)
    return verify_package(data, public_keys, iccid, now)


def read_key_set(document: bytes) -> KeySet:
    """Return the public keys of a JWK Set (RFC 7517, 5).

    Raises:
        UnknownKeyError: the document is not a JWK Set, or holds no usable key.
    """
    try:
        value: KeySetSerialization = json.loads(document)
        return KeySet.import_key_set(value)
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise UnknownKeyError(f"this is not a JWK Set with public keys: {error}") from error


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _compress(octets: bytes) -> bytes:
    compressor = zlib.compressobj(level=9, wbits=_GZIP)
    stored = bytearray(compressor.compress(octets) + compressor.flush())
    # RFC 1952, 2.3.1: MTIME is zero already. Octet 9 names the operating system; 255 means "unknown", so that the
    # same content gives the same octets on every machine.
    stored[9] = 0xFF
    return bytes(stored)


def _split(data: bytes) -> tuple[int, bytes, bytes]:
    if not data.startswith(MAGIC):
        if data and MAGIC.startswith(data):
            raise PackageCutShortError("the package is cut short in its first octets", missing_octets=None)
        raise NotAPackageError("this file is not a KSWiFi session package")
    if len(data) > MAX_PACKAGE_OCTETS:
        raise SurplusOctetsError(f"a package has at most {MAX_PACKAGE_OCTETS} octets", octets=len(data))
    if len(data) > len(MAGIC) and data[len(MAGIC)] not in VERSIONS:
        version = data[len(MAGIC)]
        raise PackageVersionError(f"version {version} of the package format is not known here", version=version)
    if len(data) < _HEAD_OCTETS:
        raise PackageCutShortError("the package is cut short in its first octets", missing_octets=None)
    length = int.from_bytes(data[len(MAGIC) + 1 : _HEAD_OCTETS], "big")
    if length > MAX_MANIFEST_OCTETS:
        raise ManifestDamagedError(f"a manifest has at most {MAX_MANIFEST_OCTETS} octets, not {length}")
    token = data[_HEAD_OCTETS : _HEAD_OCTETS + length]
    if len(token) < length:
        missing = length - len(token)
        raise PackageCutShortError(
            f"the package is cut short: {missing} octets of the manifest are missing", missing_octets=missing
        )
    return data[len(MAGIC)], token, data[_HEAD_OCTETS + length :]


def _read_manifest(token: bytes, public_keys: KeySet) -> tuple[ECKey, Manifest]:
    damaged = "the manifest or its signature is damaged"
    try:
        signed = jws.extract_compact(token)
        headers = signed.headers()
    except (JoseError, ValueError) as error:
        raise ManifestDamagedError(damaged) from error
    kid = headers.get("kid")
    if headers.get("alg") != "ES256" or headers.get("typ") != JWS_TYPE or not isinstance(kid, str):
        raise ManifestDamagedError("the manifest is not signed the way a session package is")
    key = next((known for known in public_keys if known.kid == kid), None)
    if not isinstance(key, ECKey):
        raise UnknownKeyError(f"the package is signed with the key {kid}, which is not known here", kid=kid)
    try:
        valid = jws.validate_compact(signed, key, algorithms=["ES256"])
    except (JoseError, ValueError) as error:
        raise ManifestDamagedError(damaged) from error
    if not valid:
        raise ManifestDamagedError(damaged)
    try:
        return key, msgspec.json.decode(signed.payload, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestDamagedError(f"the manifest is signed but cannot be read: {error}") from error


def _check_record(manifest: Manifest, octets: bytes, key: ECKey) -> None:
    """Check that the session record is signed with the same key and has the same values as the manifest.

    Otherwise two genuine parts of different packages could be combined.
    """
    try:
        record = session_record.verify(octets, key.public_key)
    except session_record.SessionRecordError as error:
        raise ChunkDamagedError(f"the card's session record: {error.message}", chunk=RECORD_CHUNK) from error
    said = (str(record.session_id), record.iccid, record.allowance_octets, record.valid_from, record.valid_until)
    signed = (
        manifest.session_id,
        manifest.iccid,
        manifest.allowance_octets,
        manifest.valid_from,
        manifest.valid_until,
    )
    if said != signed:
        raise ChunkDamagedError("the card's session record differs from the manifest", chunk=RECORD_CHUNK)


def _read_chunks(manifest: Manifest, body: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    if tuple(chunk.name for chunk in manifest.chunks) != names:
        raise ManifestDamagedError(f"the manifest lists other chunks than {', '.join(names)}")
    raw: dict[str, bytes] = {}
    offset = 0
    for chunk in manifest.chunks:
        stored = body[offset : offset + chunk.octets]
        if chunk.offset != offset or hashlib.sha256(stored).hexdigest() != chunk.sha256:
            raise ChunkDamagedError(f"the chunk {chunk.name} is damaged", chunk=chunk.name)
        raw[chunk.name] = _decompress(chunk, stored)
        offset += chunk.octets
    if offset != manifest.size:
        raise ManifestDamagedError("the manifest's chunks do not add up to its size")
    return raw


def _decompress(chunk: Chunk, stored: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=_GZIP)
    try:
        # Bounded, so that a small chunk cannot decompress into gigabytes, whatever size the manifest states.
        raw = decompressor.decompress(stored, MAX_CHUNK_RAW_OCTETS + 1)
    except zlib.error as error:
        raise ChunkDamagedError(f"the chunk {chunk.name} cannot be decompressed", chunk=chunk.name) from error
    if len(raw) != chunk.raw_octets or not decompressor.eof or decompressor.unused_data:
        raise ChunkDamagedError(
            f"the chunk {chunk.name} does not have the size that the manifest states", chunk=chunk.name
        )
    return raw
