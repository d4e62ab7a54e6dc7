"""Rotation of the session signing key: a new key signs from then on, and the public keys before it stay published.

Packages and session records that are out verify by the old keys until they end.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.kernel.files import write_owner_only
from kswifi.sessions.errors import SESSION_SIGNING_KEY_DAMAGED, TOO_MANY_SIGNING_KEYS
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem

RETIRED_LIFE: Final = timedelta(days=400)
"""How long a retired key stays published: longer than any session is valid."""
RETIRED_LIMIT: Final = 16


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A public key that signs no more."""

    jwk: ECKey
    retired_at: datetime


def read_retired_keys(file: Path) -> list[RetiredKey]:
    """Return the retired keys, the oldest first; none if there is no file.

    Raises:
        SESSION_SIGNING_KEY_DAMAGED: the file cannot be read.
    """
    if not file.exists():
        return []
    try:
        found = json.loads(file.read_bytes())["keys"]
        return [RetiredKey(ECKey.import_key(_public(it)), from_unix_seconds(int(it["retired_at"]))) for it in found]
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise SESSION_SIGNING_KEY_DAMAGED(f"the retired signing keys cannot be read: {file}") from error


def read_signing_key(pem: bytes, retired: Path) -> SessionSigningKey:
    """Return the key that signs, with the retired keys to publish; raises as ``read_retired_keys``."""
    return SessionSigningKey.from_pem(pem, [it.jwk for it in read_retired_keys(retired)])


def rotate(current: Path, retired: Path, now: datetime) -> SessionSigningKey:
    """Make a new signing key and publish the one before it as retired; return the new one.

    The server must not run. A crash between both files leaves the old key in use, which is published already.

    Raises:
        SESSION_SIGNING_KEY_DAMAGED: a file cannot be read.
        TOO_MANY_SIGNING_KEYS: too many keys were retired lately.
        OSError: a file cannot be written; the old key stays in use.
    """
    old = SessionSigningKey.from_pem(current.read_bytes())
    kept = [
        it
        for it in read_retired_keys(retired)
        if it.retired_at > now - RETIRED_LIFE and it.jwk.thumbprint() != old.kid
    ]
    if len(kept) >= RETIRED_LIMIT:
        raise TOO_MANY_SIGNING_KEYS(f"{RETIRED_LIMIT} keys were retired within {RETIRED_LIFE.days} days")
    rows = [_row(it) for it in [*kept, RetiredKey(old.jwk, now)]]
    write_owner_only(retired, json.dumps({"keys": rows}, indent=1).encode())
    pem = fresh_signing_key_pem()
    write_owner_only(current, pem)
    return read_signing_key(pem, retired)


def _row(key: RetiredKey) -> dict[str, Any]:
    return {**key.jwk.as_dict(private=False), "retired_at": unix_seconds(key.retired_at)}


def _public(row: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a public EC key (RFC 7518, 6.2.1) alone."""
    return {name: row[name] for name in ("kty", "crv", "x", "y")}
