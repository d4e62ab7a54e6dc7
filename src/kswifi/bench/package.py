"""Benchmark of the session package: its size, and the CPU time to build and to verify one."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from joserfc.jwk import KeySet

from kswifi.kernel.numbers import Iccid
from kswifi.rsp.session_record import SessionRecord
from kswifi.session_package import PackageContents, build_package, verify_package
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem

ROUNDS: Final = 200
_FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ICCID: Final = Iccid("8944500000000000014")
_SESSION: Final = "019ab0de-0000-7000-8000-000000000001"


def measure() -> dict[str, Any]:
    """Build and verify packages of the same content, on one core."""
    key = SessionSigningKey.from_pem(fresh_signing_key_pem())
    until = _FROM + timedelta(days=30)
    record = key.sign_record(
        SessionRecord(
            session_id=UUID(_SESSION),
            iccid=_ICCID,
            allowance_octets=10**9,
            valid_from=int(_FROM.timestamp()),
            valid_until=int(until.timestamp()),
            key_id=bytes(8),
        )
    )
    contents = PackageContents(
        session_id=_SESSION,
        offer_id="free-1gb",
        allowance_octets=10**9,
        valid_from=_FROM,
        valid_until=until,
        iccid=_ICCID,
        session_record=record,
        activation={"lpa": "LPA:1$example.ng$ABCD-EFGH-JKLM-NPQR"},
        terms="terms " * 200,
    )
    began = time.process_time()
    packages = [build_package(contents, key.jwk) for _ in range(ROUNDS)]
    built = time.process_time()
    keys = KeySet.import_key_set(json.loads(json.dumps(key.jwks())))
    for package in packages:
        verify_package(package, keys, str(_ICCID), _FROM)
    return {
        "package_octets": len(packages[0]),
        "build_cpu_us": round((built - began) / ROUNDS * 1e6),
        "verify_cpu_us": round((time.process_time() - built) / ROUNDS * 1e6),
    }
