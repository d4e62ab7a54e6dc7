"""Every refusal that can be a sign of an attack has a kind; each kind is counted and logged without its facts."""

from typing import Final

import pytest
from structlog.testing import capture_logs

from kswifi.accounts.errors import SignInLockedError
from kswifi.api.edge.security_refusals import _KIND_OF_CODE, KINDS, LOCKED, SecurityRefusals
from kswifi.api.edge.statuses import STATUS_OF_CODE
from kswifi.bootstrap.metrics.security import SecurityMetrics
from kswifi.kernel.errors import KswifiError

ORDINARY: Final = {
    "not_signed_in": "a page that was signed out asks so",
    "login_expired": "the end of each LoginSession",
    "identifier_not_proved": "a step of registration is missing",
    "account_held": "a rule of free data",
    "kyc_level_too_low": "a rule of free data or payments",
    "phone_not_verified": "a rule of free data",
    "voucher_needed": "a rule of free data",
    "phone_or_voucher_needed": "a rule of free data",
    "not_on_wifi": "the app asks so before each download",
    "gifts_off": "a setting of the operator",
    "standing_orders_off": "a setting of the operator",
    "move_not_confirmed": "a move waits for its confirmation",
    "giver_too_new": "a rule of gifts",
    "number_not_verified": "the number of a line is verified again before a purchase",
    "too_many_bundles": "a rule of resold lines",
}
"""Refusals of 401, 403, 421 and 429 that honest users meet every day, and why."""

SCOPE: Final = {"type": "http", "method": "POST", "path": "/api/v1/secret-id", "client": ("102.89.44.7", 4711)}


class RefusedWithCodeError(KswifiError):
    """A refusal with any code."""

    def __init__(self, code: str) -> None:
        super().__init__("the password is hunter2", identifier="+2348031234567")
        self.code = code


def test_each_refusal_of_identity_right_or_rate_has_a_kind_or_a_reason_to_have_none() -> None:
    suspicious = {code for code, status in STATUS_OF_CODE.items() if status in (401, 403, 421, 429)}
    assert suspicious <= _KIND_OF_CODE.keys() | ORDINARY.keys()
    assert not _KIND_OF_CODE.keys() & ORDINARY.keys()
    assert ORDINARY.keys() <= suspicious
    assert _KIND_OF_CODE.keys() <= STATUS_OF_CODE.keys()


@pytest.mark.parametrize("code", [*_KIND_OF_CODE, "sign_in_locked"])
def test_each_kind_leaves_one_line_and_one_count_and_no_secret(code: str) -> None:
    refusals = SecurityRefusals()
    error = SignInLockedError("too many") if code == LOCKED else RefusedWithCodeError(code)
    with capture_logs() as lines:
        refusals.note(error, SCOPE)
    [line] = lines
    kind = LOCKED if code == LOCKED else _KIND_OF_CODE[code]
    assert line == {
        "event": f"security_{kind}",
        "log_level": "warning",
        "method": "POST",
        "path": "-",
        "network": "102.89.0.0/16",
    }
    text = SecurityMetrics(refusals).text().decode()
    for one in KINDS:
        assert f'kswifi_security_refusals_total{{kind="{one}"}} {float(one == kind)}' in text


@pytest.mark.parametrize("code", ["unknown_session", *ORDINARY])
def test_an_ordinary_refusal_leaves_neither(code: str) -> None:
    refusals = SecurityRefusals()
    with capture_logs() as lines:
        refusals.note(RefusedWithCodeError(code), SCOPE)
    assert (lines, sum(refusals.counts.values())) == ([], 0)
