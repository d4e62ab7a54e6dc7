"""Count and log refusals that can be signs of an attack, without any secret.

The log handler limits the lines of one event in a minute (``bootstrap.log_lines``). Each kind is therefore an event
of its own: a flood of one kind does not hide the others.
"""

from collections import Counter
from typing import Final

import structlog
from starlette.types import Scope

from kswifi.accounts.errors import SignInLockedError
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.network_addresses import network_label

LOCKED: Final = "sign_in_locked"

_KIND_OF_CODE: Final = {
    "wrong_credentials": "password_wrong",
    "wrong_recovery_code": "recovery_code_wrong",
    "passkey_refused": "passkey_refused",
    "phone_code_wrong": "code_wrong",
    "proof_code_wrong": "code_wrong",
    "unknown_voucher": "voucher_unknown",
    "too_many_attempts": "rate_exceeded",
    "too_many_streams": "rate_exceeded",
    "sign_in_busy": "sign_in_busy",
    "csrf_token_wrong": "csrf_refused",
    "origin_not_allowed": "origin_refused",
    "host_not_allowed": "host_refused",
    "metrics_not_for_you": "metrics_refused",
    "webhook_signature_wrong": "webhook_signature_wrong",
}

KINDS: Final = (LOCKED, *dict.fromkeys(_KIND_OF_CODE.values()))

_log = structlog.get_logger(__name__)


class SecurityRefusals:
    """Counts the refusals of one server by kind; the set of kinds is small and fixed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, error: KswifiError, scope: Scope) -> None:
        """Count and log a refusal if its kind can be a sign of an attack."""
        kind = LOCKED if isinstance(error, SignInLockedError) else _KIND_OF_CODE.get(error.code)
        if kind is None:
            return
        self.counts[kind] += 1
        client = scope.get("client")
        network = None if client is None else network_label(client[0])
        _log.warning(f"security_{kind}", method=scope["method"], path=_route_of(scope), network=network)


def _route_of(scope: Scope) -> str:
    """Return the path template of the route, in which ids are placeholders; "-" if no route matched."""
    route = scope.get("route")
    return str(getattr(route, "path", "-"))
