"""Build answers from the ledger's outcomes: grants, refusals and control-only access.

With control-only access a bearer reaches only KSWiFi's own address.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from kswifi.charging.policy import ChargingPolicy
from kswifi.charging.steps import Step, asks_for_other_units
from kswifi.diameter.constants import CheckBalanceResult, ResultCode
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import Outcome, OutcomeCode

_NO_CREDIT: Final = frozenset(
    {
        OutcomeCode.EXHAUSTED,
        OutcomeCode.ON_HOLD,
        OutcomeCode.NOTHING_USABLE,
        OutcomeCode.NOT_PROVEN,
        OutcomeCode.EXPIRED,
    }
)
"""Nothing can be granted now, but maybe later: 4012, or control-only access (RFC 8506, 9.2)."""

_RESULTS: Final[dict[OutcomeCode, ResultCode]] = {
    OutcomeCode.UNKNOWN_WALLET: ResultCode.USER_UNKNOWN,
    OutcomeCode.UNKNOWN_RESERVATION: ResultCode.UNKNOWN_SESSION_ID,
    OutcomeCode.FROZEN: ResultCode.END_USER_SERVICE_DENIED,
    OutcomeCode.TOO_MANY: ResultCode.END_USER_SERVICE_DENIED,
}

_MESSAGES: Final[dict[int, str]] = {
    ResultCode.CREDIT_LIMIT_REACHED: "nothing of this subscriber's sessions can be used now",
    ResultCode.USER_UNKNOWN: "no subscriber of this service has this IMSI",
    ResultCode.END_USER_SERVICE_DENIED: "this subscriber is barred from the service",
    ResultCode.UNKNOWN_SESSION_ID: "no such session is open",
    ResultCode.RATING_FAILED: "only octets and seconds are charged here",
    ResultCode.UNABLE_TO_COMPLY: "the request contradicts one that was answered before",
}


class ChargingAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The content of an answer; the server adds the origin and the identifiers of the request.

    ``direct`` answers a request that has its units in the message itself, outside Multiple-Services-Credit-Control.
    """

    result_code: int
    services: tuple[ServiceCreditControl, ...] = ()
    direct: ServiceCreditControl | None = None
    error_message: str | None = None
    failed_avp: bytes = b""
    check_balance_result: CheckBalanceResult | None = None
    cost_kobo: int | None = None

    @property
    def grants(self) -> bool:
        """Whether octets were granted."""
        return any(map(_grants, self._all))

    @property
    def refuses(self) -> bool:
        """Whether nothing was granted: the whole command is refused, or each of its groups."""
        if self.result_code != ResultCode.SUCCESS:
            return True
        results = [it.result_code for it in self._all]
        return bool(results) and all(code not in (None, ResultCode.SUCCESS) for code in results)

    @property
    def restricts(self) -> bool:
        """Whether the answer gives control-only access: a grant of 0 octets with a Final-Unit-Indication."""
        return not self.grants and any(service.granted is not None for service in self._all)

    @property
    def is_final(self) -> bool:
        """Whether this is the last grant: it has a Final-Unit-Indication."""
        return any(service.final_unit is not None for service in self._all)

    @property
    def _all(self) -> tuple[ServiceCreditControl, ...]:
        return self.services if self.direct is None else (self.direct,)


def _grants(service: ServiceCreditControl) -> bool:
    return service.granted is not None and bool(service.granted.cc_total_octets)


def compose(
    steps: list[Step],
    outcomes: list[Outcome],
    policy: ChargingPolicy,
    peer: str,
    *,
    direct: bool,
    in_group: bool = False,
    low: bool = False,
) -> ChargingAnswer:
    """Build the answer to a request once all its steps are durable.

    If all groups are refused, the whole command is refused: real cores handle that well, and the refusal of a
    single group badly. If some are refused, each group has its own Result-Code (RFC 8506, 5.6.1).

    Args:
        steps: the steps of the request.
        outcomes: the ledger's outcomes, one for each step.
        policy: the operator's settings.
        peer: the client's Origin-Host.
        direct: whether the request has its units in the message itself.
        in_group: refuse each group by itself, because another group of the session may hold the octets that this
            one lacks; ending the session would strand them.
        low: whether little is left apart from these grants, so that they get a short Validity-Time.
    """
    services = tuple(
        answer_step(step, outcome, policy, peer, low=low)
        for step, outcome in zip(steps, outcomes, strict=True)
        if step.answered
    )
    if not services and outcomes and outcomes[0].code is not OutcomeCode.DONE:
        return refusal_of(outcomes[0].code)
    refused = bool(services) and all(service.result_code != ResultCode.SUCCESS for service in services)
    if refused and (direct or not (policy.refuse_in_group or in_group)):
        return refusal(services[0].result_code or ResultCode.UNABLE_TO_COMPLY)
    if direct and len(services) == 1:
        return ChargingAnswer(result_code=ResultCode.SUCCESS, direct=replace(services[0], result_code=None))
    return ChargingAnswer(result_code=ResultCode.SUCCESS, services=services)


def refusal(result_code: int, message: str | None = None) -> ChargingAnswer:
    """Build an answer that refuses the whole command with a Result-Code."""
    return ChargingAnswer(result_code=result_code, error_message=message or _MESSAGES.get(result_code))


def refusal_of(code: OutcomeCode) -> ChargingAnswer:
    """Build an answer that refuses the whole command for the ledger's outcome code."""
    if code in _NO_CREDIT:
        return refusal(ResultCode.CREDIT_LIMIT_REACHED)
    return refusal(_RESULTS.get(code, ResultCode.UNABLE_TO_COMPLY))


def closing(steps: list[Step]) -> ChargingAnswer:
    """Build the answer to a TERMINATION: success for every group that it named."""
    return ChargingAnswer(
        result_code=ResultCode.SUCCESS,
        services=tuple(
            ServiceCreditControl(
                rating_group=step.service.rating_group,
                service_identifiers=step.service.service_identifiers,
                result_code=ResultCode.SUCCESS,
            )
            for step in steps
            if step.answered
        ),
    )


def answer_step(
    step: Step, outcome: Outcome, policy: ChargingPolicy, peer: str, *, low: bool = False
) -> ServiceCreditControl:
    """Build the answer to one group of units.

    Three combinations are never sent, because real cores then forward unmetered traffic, repeat requests without
    pause, or strand the rest: success without a grant for a group that asks; a grant of 0 octets without a
    Final-Unit-Indication; a threshold or a time quota together with a Final-Unit-Indication.
    """
    service = step.service
    result_code: int = ResultCode.SUCCESS
    granted = final_unit = validity = holding = threshold = None
    if not step.asks and asks_for_other_units(service):
        result_code = ResultCode.RATING_FAILED
    elif outcome.code is OutcomeCode.DONE and (outcome.granted_octets or not step.asks):
        if step.asks:
            seconds = None
            if outcome.final:
                final_unit = policy.final_unit(peer)
            else:
                threshold = policy.threshold(outcome.granted_octets)
                seconds = policy.time_quota(service.requested)
            granted = ServiceUnit(cc_total_octets=outcome.granted_octets, cc_time=seconds)
            holding = policy.quota_holding_seconds
            short = low or outcome.shared
            validity = policy.shared_validity_seconds if short else policy.validity_seconds
    elif outcome.code in _NO_CREDIT or outcome.code is OutcomeCode.DONE:
        if policy.restricts(peer):
            granted = ServiceUnit(cc_total_octets=0)
            final_unit = policy.final_unit(peer)
            validity = policy.control_only_validity_seconds
        else:
            result_code = ResultCode.CREDIT_LIMIT_REACHED
    else:
        result_code = _RESULTS.get(outcome.code, ResultCode.UNABLE_TO_COMPLY)
    return ServiceCreditControl(
        rating_group=service.rating_group,
        service_identifiers=service.service_identifiers,
        granted=granted,
        validity_seconds=validity,
        final_unit=final_unit,
        result_code=result_code,
        quota_holding_seconds=holding,
        threshold_octets=threshold,
    )
