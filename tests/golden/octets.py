"""Octets of the product's own formats, made with fixed keys at a fixed instant."""

import base64
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from tests.golden.finding import find

DATA: Final = Path(__file__).parent / "data"
PACKAGE: Final = DATA / "package.bin"

FROM: Final = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
UNTIL: Final = datetime(2026, 12, 23, 23, 0, tzinfo=UTC)
ICCID: Final = "8999901000000000013"
SESSION_ID: Final = "019ab0de-0000-7000-8000-000000000001"
ALLOWANCE: Final = 1_000_000_000
TAR: Final = bytes.fromhex("b00001")
_CHUNKS_VARY: Final = ("octets", "offset", "sha256")
"""What depends on the compressor's version; the content of each chunk does not."""


def signing_key() -> Any:
    """Return the installation's signing key, from the file that was made once."""
    return find("SessionSigningKey").from_pem((DATA / "signing-key.pem").read_bytes())


def session_record(allowance_octets: int | None = ALLOWANCE) -> bytes:
    """Return a signed session record; its signature is deterministic (RFC 6979)."""
    record = find("SessionRecord")(
        session_id=UUID(SESSION_ID),
        iccid=find("Iccid")(ICCID),
        allowance_octets=allowance_octets,
        valid_from=int(FROM.timestamp()),
        valid_until=int(UNTIL.timestamp()),
        key_id=bytes(8),
    )
    made: bytes = signing_key().sign_record(record)
    return made


def package() -> bytes:
    """Return a signed session package; its signature draws a nonce, so no two are the same."""
    contents = find("PackageContents")(
        session_id=SESSION_ID,
        offer_id="free-1gb",
        allowance_octets=ALLOWANCE,
        valid_from=FROM,
        valid_until=UNTIL,
        iccid=find("Iccid")(ICCID),
        session_record=session_record(),
        activation={"activation_code": "LPA:1$localhost:8443$MATCHING-ID", "iccid": ICCID},
        terms="Terms of the golden package.\n",
    )
    made: bytes = find("build_package")(contents, signing_key().jwk)
    return made


def anatomy(octets: bytes) -> dict[str, Any]:
    """Return what a package holds, read by hand as docs/package-format.md tells, without its signature."""
    length = int.from_bytes(octets[8:12], "big")
    token, body = octets[12 : 12 + length], octets[12 + length :]
    header, payload, signature = token.split(b".")
    manifest = json.loads(_base64url(payload))
    chunks = {it["name"]: body[it["offset"] : it["offset"] + it["octets"]] for it in manifest["chunks"]}
    manifest.pop("size")
    for chunk in manifest["chunks"]:
        for name in _CHUNKS_VARY:
            chunk.pop(name)
    return {
        "magic": octets[:8].hex(),
        "header": json.loads(_base64url(header)),
        "manifest": manifest,
        "signature_octets": len(_base64url(signature)),
        "chunks": {name: gzip.decompress(chunk).hex() for name, chunk in chunks.items()},
    }


def _base64url(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def verified(octets: bytes) -> dict[str, Any]:
    """Return what today's code reads in a package."""
    keys = find("read_key_set")(json.dumps(signing_key().jwks()).encode())
    found = find("verify_package")(octets, keys, ICCID, FROM)
    manifest: dict[str, Any] = msgspec.to_builtins(found.manifest)
    return {
        "manifest": manifest,
        "kid": found.kid,
        "session_record": found.session_record.hex(),
        "activation": dict(found.activation),
        "terms": found.terms,
    }


def packets() -> dict[str, str]:
    """Return a command packet that writes a session record, an answer, and the SMS that carry it (TS 102 225)."""
    scp80 = "kswifi.scp80"
    level = find("SecurityParameters", scp80).decode(bytes.fromhex("1619"))
    keys = find("Keys", scp80)(bytes(range(16)), bytes(range(16, 32)))
    record = session_record().ljust(find("SESSION_RECORD_FILE_OCTETS"), b"\xff")
    update = bytes([0x00, 0xDC, 3, 0x04, len(record)]) + record
    script = find("Script", scp80)((bytes.fromhex("00A4080C067FFF5F104F01"), update)).encode()
    command = find("CommandPacket", scp80)(spi=level, kic=0x12, kid=0x12, tar=TAR, counter=7, data=script)
    secured: bytes = find("encode_command", scp80)(command, keys)
    answer = find("ResponsePacket", scp80)(tar=TAR, counter=7, status=0, data=bytes.fromhex("029000"))
    return {
        "command": secured.hex(),
        "answer": find("encode_response", scp80)(answer, level, 0x12, 0x12, keys).hex(),
        "messages": " ".join(it.hex() for it in find("deliver_messages", scp80)(secured, reference=5)),
    }


def records() -> dict[str, str]:
    """Return session records, capped and uncapped, and one with its state as the card's file has it."""
    status = find("RecordStatus")
    state = find("RecordState")(status=status.ACTIVE, place=2, continue_with_next=True, as_of=int(FROM.timestamp()))
    return {
        "capped": session_record().hex(),
        "uncapped": session_record(None).hex(),
        "state": state.encode().hex(),
    }
