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
METHOD: Final = "method_refused"

_ACCESS_STATUSES: Final = frozenset({401, 403, 404})

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

KINDS: Final = (LOCKED, METHOD, *dict.fromkeys(_KIND_OF_CODE.values()))

_log = structlog.get_logger(__name__)


class SecurityRefusals:
    """Counts the refusals of one server by kind; the set of kinds is small and fixed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, error: KswifiError, scope: Scope, status: int = 400) -> None:
        """Count and log a refusal if its kind can be a sign of an attack.

        Other refusals of access (401, 403, and 404 for things of other users) leave a line of level info.
        """
        kind = LOCKED if isinstance(error, SignInLockedError) else _KIND_OF_CODE.get(error.code)
        if kind is not None:
            self._note(kind, scope)
        elif status in _ACCESS_STATUSES:
            _log.info("access_refused", code=error.code, **_facts_of(scope))

    def note_method(self, scope: Scope) -> None:
        """Count and log a request with a method that its path does not have."""
        self._note(METHOD, scope)

    def note_input(self, scope: Scope) -> None:
        """Log a request whose input does not fit the schema; its values are not logged."""
        _log.info("input_refused", **_facts_of(scope))

    def _note(self, kind: str, scope: Scope) -> None:
        self.counts[kind] += 1
        _log.warning(f"security_{kind}", **_facts_of(scope))


def _facts_of(scope: Scope) -> dict[str, str | None]:
    client = scope.get("client")
    network = None if client is None else network_label(client[0])
    return {"method": scope["method"], "path": _route_of(scope), "network": network}


def _route_of(scope: Scope) -> str:
    """Return the path template of the route, in which ids are placeholders; "-" if no route matched."""
    route = scope.get("route")
    return str(getattr(route, "path", "-"))
