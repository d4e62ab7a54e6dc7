"""The session package: every change to it is refused, each kind with its own error."""

import base64
import dataclasses
import hashlib
import json
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.numbers import Iccid
from kswifi.rsp.session_record import SessionRecord
from kswifi.session_package.codec import (
    JWS_TYPE,
    MAGIC,
    MAX_PACKAGE_OCTETS,
    Chunk,
    Manifest,
    PackageContents,
    build_package,
    read_key_set,
    verify_package,
    verify_package_file,
)
from kswifi.session_package.errors import (
    AnotherCardError,
    ChunkDamagedError,
    ManifestDamagedError,
    NotAPackageError,
    PackageCutShortError,
    PackageError,
    PackageExpiredError,
    PackageVersionError,
    SurplusOctetsError,
    UnknownKeyError,
)
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem

FROM = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
UNTIL = FROM + timedelta(days=30)
ICCID = Iccid("8999901000000000013")
OTHER_ICCID = Iccid("8999901000000000021")
SESSION_ID = "019ab0de-0000-7000-8000-000000000001"
SIGNING = SessionSigningKey.from_pem(fresh_signing_key_pem())
KEY, KEYS = SIGNING.jwk, SIGNING.public_keys


def record_of(allowance_octets: int | None) -> bytes:
    return SIGNING.sign_record(
        SessionRecord(
            session_id=UUID(SESSION_ID),
            iccid=ICCID,
            allowance_octets=allowance_octets,
            valid_from=unix_seconds(FROM),
            valid_until=unix_seconds(UNTIL),
            key_id=bytes(8),
        )
    )


RECORD = record_of(1_000_000_000)
CONTENTS = PackageContents(
    session_id=SESSION_ID,
    offer_id="free-1gb",
    allowance_octets=1_000_000_000,
    valid_from=FROM,
    valid_until=UNTIL,
    iccid=ICCID,
    session_record=RECORD,
    activation={"activation_code": "LPA:1$smdp.example$AAAA", "qr_code_svg": "<svg/>"},
    terms="1 GB is 1,000,000,000 octets. ₦0.",
)
PACKAGE = build_package(CONTENTS, KEY)
_JWS_OCTETS = int.from_bytes(PACKAGE[8:12], "big")
BODY_AT = 12 + _JWS_OCTETS


def with_manifest(payload: bytes, body: bytes, key: ECKey = KEY, **header: str) -> bytes:
    """Sign another manifest correctly, as a holder of the key or an older version of the server could."""
    protected = {"alg": "ES256", "typ": JWS_TYPE, "kid": key.thumbprint()} | header
    token = jws.serialize_compact(protected, payload, key, algorithms=["ES256"]).encode()
    return MAGIC + b"\x01" + len(token).to_bytes(4, "big") + token + body


def manifest_of(package: bytes) -> Manifest:
    return msgspec.json.decode(jws.extract_compact(package[12:BODY_AT]).payload, type=Manifest)


def test_a_verified_package_has_the_content_that_was_signed() -> None:
    verified = verify_package(PACKAGE, KEYS, ICCID, FROM)
    assert verified.session_record == RECORD
    assert verified.activation == CONTENTS.activation
    assert verified.terms == CONTENTS.terms
    assert verified.kid == KEY.thumbprint()
    assert verified.valid_until == UNTIL
    assert verified.manifest.allowance_octets == 1_000_000_000
    assert len(PACKAGE) < 4096, "a few kilobytes: the right to a gigabyte, not the gigabyte"


def test_an_uncapped_session_and_any_card() -> None:
    package = build_package(
        dataclasses.replace(CONTENTS, allowance_octets=None, session_record=record_of(None)), KEY
    )
    assert verify_package(package, KEYS, None, FROM).manifest.allowance_octets is None


def test_the_chunks_are_the_same_every_time() -> None:
    again = build_package(CONTENTS, KEY)
    assert manifest_of(again) == manifest_of(PACKAGE)
    assert again[12 + int.from_bytes(again[8:12], "big") :] == PACKAGE[BODY_AT:]
    assert zlib.decompress(PACKAGE[BODY_AT : BODY_AT + manifest_of(PACKAGE).chunks[0].octets], 31) == RECORD


def test_a_package_that_would_be_too_large_is_not_made() -> None:
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(1500))
    contents = PackageContents("s", "o", 1, FROM, UNTIL, noise, ICCID, RECORD, {})
    with pytest.raises(SurplusOctetsError):
        build_package(contents, KEY)


@settings(deadline=None, max_examples=400)
@given(position=st.integers(0, len(PACKAGE) * 8 - 1))
def test_any_flipped_bit_is_refused(position: int) -> None:
    damaged = bytearray(PACKAGE)
    damaged[position // 8] ^= 1 << position % 8
    with pytest.raises(PackageError):
        verify_package(bytes(damaged), KEYS, ICCID, FROM)


def test_every_bit_of_the_signature_counts_also_the_unused_ones_of_base64() -> None:
    for position in range((BODY_AT - 3) * 8, BODY_AT * 8):
        damaged = bytearray(PACKAGE)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(ManifestDamagedError):
            verify_package(bytes(damaged), KEYS, ICCID, FROM)


@settings(deadline=None, max_examples=200)
@given(length=st.integers(0, len(PACKAGE) - 1))
def test_any_truncation_is_refused_as_cut_short(length: int) -> None:
    with pytest.raises(PackageCutShortError if length else NotAPackageError):
        verify_package(PACKAGE[:length], KEYS, ICCID, FROM)


@settings(deadline=None, max_examples=200)
@given(junk=st.binary(max_size=200))
def test_random_octets_are_refused(junk: bytes) -> None:
    for data in (junk, MAGIC + junk, MAGIC + b"\x01" + junk, PACKAGE[:12] + junk):
        with pytest.raises(PackageError):
            verify_package(data, KEYS, ICCID, FROM)


def test_each_kind_of_refusal_has_its_own_code_and_message() -> None:
    flipped_chunk = bytearray(PACKAGE)
    flipped_chunk[-5] ^= 1
    other_key = KeySet([ECKey.generate_key("P-256", auto_kid=True)])
    cases = [
        (b"PK\x03\x04", KEYS, ICCID, FROM, NotAPackageError, "not a KSWiFi session package"),
        (MAGIC + b"\x03" + PACKAGE[8:], KEYS, ICCID, FROM, PackageVersionError, "version 3"),
        (MAGIC + b"\x02" + PACKAGE[8:], KEYS, ICCID, FROM, ManifestDamagedError, "version 2"),
        (PACKAGE[:-1], KEYS, ICCID, FROM, PackageCutShortError, "1 octets are missing"),
        (PACKAGE + b"\0", KEYS, ICCID, FROM, SurplusOctetsError, "1 octets follow"),
        (PACKAGE + bytes(MAX_PACKAGE_OCTETS), KEYS, ICCID, FROM, SurplusOctetsError, "at most 32768"),
        (bytes(flipped_chunk), KEYS, ICCID, FROM, ChunkDamagedError, "terms.txt is damaged"),
        (PACKAGE, other_key, ICCID, FROM, UnknownKeyError, "not known here"),
        (PACKAGE, KEYS, OTHER_ICCID, FROM, AnotherCardError, f"not for {OTHER_ICCID}"),
        (PACKAGE, KEYS, ICCID, UNTIL, PackageExpiredError, "was valid until 2026-12-23"),
    ]
    codes = set()
    for data, keys, iccid, now, error, words in cases:
        with pytest.raises(error, match=words) as refused:
            verify_package(data, keys, iccid, now)
        codes.add(refused.value.code)
    assert len(codes) == len(cases) - 1  # too large and surplus share one
    verify_package(PACKAGE, KEYS, ICCID, UNTIL - timedelta(seconds=1))


def test_another_algorithm_or_purpose_of_the_same_key_is_refused() -> None:
    payload = msgspec.json.encode(manifest_of(PACKAGE))
    for purpose in ("jwt", "kswifi-record+jws"):
        with pytest.raises(ManifestDamagedError, match="not signed the way"):
            verify_package(with_manifest(payload, PACKAGE[BODY_AT:], typ=purpose), KEYS, ICCID, FROM)
    header = json.dumps({"alg": "none", "typ": JWS_TYPE, "kid": KEY.thumbprint()}).encode()
    token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload, b""))
    with pytest.raises(ManifestDamagedError):
        verify_package(
            MAGIC + b"\x01" + len(token).to_bytes(4, "big") + token + PACKAGE[BODY_AT:], KEYS, None, FROM
        )


def test_a_signed_manifest_that_does_not_fit_its_chunks_is_refused() -> None:
    whole = manifest_of(PACKAGE)
    body = PACKAGE[BODY_AT:]
    replace = msgspec.structs.replace
    wrong = [
        replace(whole, chunks=whole.chunks[:2]),
        replace(whole, chunks=whole.chunks[::-1]),
        replace(whole, chunks=(*whole.chunks, whole.chunks[0])),
        replace(whole, chunks=(replace(whole.chunks[0], raw_octets=122), *whole.chunks[1:])),
        replace(whole, chunks=(replace(whole.chunks[0], offset=1), *whole.chunks[1:])),
        replace(whole, chunks=(replace(whole.chunks[0], octets=-1), *whole.chunks[1:])),
    ]
    for manifest in wrong:
        with pytest.raises(PackageError):
            verify_package(with_manifest(msgspec.json.encode(manifest), body), KEYS, ICCID, FROM)
    for payload in (b"{}", b"\xff", json.dumps({**json.loads(msgspec.json.encode(whole)), "extra": 1}).encode()):
        with pytest.raises(ManifestDamagedError, match="cannot be read"):
            verify_package(with_manifest(payload, body), KEYS, ICCID, FROM)


LINE_CONTENTS = dataclasses.replace(
    CONTENTS, iccid=None, session_record=None, activation=None, line={"kind": "profile"}
)


def test_a_package_for_a_providers_line_has_neither_card_nor_activation_code() -> None:
    package = build_package(LINE_CONTENTS, KEY)
    verified = verify_package(package, KEYS, None, FROM)
    assert package[len(MAGIC)] == 2
    assert (verified.manifest.iccid, verified.session_record, verified.activation) == (None, None, {})
    assert verified.line == {"kind": "profile"}
    assert b"iccid" not in msgspec.json.encode(verified.manifest)


def test_a_package_of_one_version_is_not_taken_for_the_other() -> None:
    for contents, version in ((CONTENTS, b"\x02"), (LINE_CONTENTS, b"\x01")):
        package = build_package(contents, KEY)
        with pytest.raises(ManifestDamagedError):
            verify_package(MAGIC + version + package[len(MAGIC) + 1 :], KEYS, None, FROM)


def test_a_record_that_differs_from_the_manifest_is_refused() -> None:
    for record in (record_of(2_000_000_000), record_of(None), bytes(123), RECORD[:-1] + bytes([RECORD[-1] ^ 1])):
        package = build_package(dataclasses.replace(CONTENTS, session_record=record), KEY)
        with pytest.raises(ChunkDamagedError, match="session record"):
            verify_package(package, KEYS, ICCID, FROM)


def test_a_chunk_that_decompresses_beyond_its_limit_is_refused() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = compressor.compress(bytes(16 * 1024 * 1024)) + compressor.flush()
    whole = manifest_of(PACKAGE)
    first = Chunk("session_record", 0, len(bomb), hashlib.sha256(bomb).hexdigest(), 16 * 1024 * 1024)
    manifest = msgspec.structs.replace(whole, size=len(bomb), chunks=(first, *whole.chunks[1:]))
    with pytest.raises(ChunkDamagedError, match="does not have the size"):
        verify_package(with_manifest(msgspec.json.encode(manifest), bomb), KEYS, ICCID, FROM)


def test_a_file_is_verified_with_a_key_file(tmp_path: Path) -> None:
    path, keys = tmp_path / "one.kswifi", tmp_path / "jwks.json"
    path.write_bytes(PACKAGE)
    keys.write_text(json.dumps(KEYS.as_dict()))
    trusted = read_key_set(keys.read_bytes())
    assert verify_package_file(path, trusted, ICCID, FROM).manifest.session_id == CONTENTS.session_id
    for wrong in (b"", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "EC"}]}', b'{"keys": [1]}'):
        with pytest.raises(UnknownKeyError):
            read_key_set(wrong)


def test_the_key_set_holds_no_private_part() -> None:
    public = read_key_set(json.dumps(KEYS.as_dict(private=False)).encode())
    assert all("d" not in key for key in public.as_dict()["keys"])


def test_the_codec_imports_no_database_and_no_web_framework() -> None:
    """A phone can run the verifier, because it imports no database and no web framework."""
    others = "[m for m in sys.modules if m in ('sqlalchemy', 'fastapi')]"
    script = f"import sys, kswifi.session_package.codec; print({others})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"
