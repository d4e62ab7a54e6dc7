"""Turn a credit-control request into ledger commands: one step for each group of units."""

from dataclasses import dataclass, replace
from typing import Final

from kswifi.charging.journal_notes import Bearer, ClosingCause, settling_note, usage_note
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import (
    MULTIPLE_SERVICES_SUPPORTED,
    SERVICE_CONTEXT_PS,
    CcRequestType,
    RequestedAction,
    ResultCode,
)
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import Admit, Ask, Commit, Reserve

MAX_SERVICES: Final = 32
"""The most groups of units in one request; a phone has a handful of rating groups."""

_ANY_AMOUNT: Final = ServiceCreditControl(requested=ServiceUnit())


def begins_anew(request: CreditControlRequest) -> bool:
    """Return whether a request opens a session, debits or refunds: work that can wait, unlike reported usage."""
    if request.cc_request_type is CcRequestType.EVENT:
        return request.requested_action in (RequestedAction.DIRECT_DEBITING, RequestedAction.REFUND_ACCOUNT)
    return request.cc_request_type is CcRequestType.INITIAL


@dataclass(frozen=True, slots=True)
class Step:
    """One group of units of a request, with its reservation."""

    service: ServiceCreditControl
    reservation_id: str
    command_id: str
    asks: bool
    """Whether it needs a grant: an answer without one would be wrong."""
    closes: bool
    answered: bool = True
    """False if the request did not name it: a further group that a TERMINATION closes, or the session itself."""
    note: str = ""
    """Details of the report for the journal, apart from its sum."""

    def commit(self, ask: Ask) -> Commit:
        """Return the command that books the reported usage."""
        return Commit(
            command_id=self.command_id,
            reservation_id=self.reservation_id,
            used_octets=self.service.used_octets,
            ask=ask if self.asks else None,
            close=self.closes,
            note=self.note,
        )

    def reserve(self, wallet_id: str, ask: Ask, note: str) -> Reserve:
        """Return the command that opens the reservation, with or without a grant.

        A replay gets its stored outcome.
        """
        return Reserve(
            command_id=self.command_id,
            reservation_id=self.reservation_id,
            wallet_id=wallet_id,
            ask=ask,
            note=note,
            admit=True,
        )

    def as_late(self) -> "Step":
        """Return the same usage for a separate tombstone, which cannot conflict with the session's reservation."""
        reservation_id = f"{self.reservation_id}/late"
        command_id = f"{reservation_id}{self.command_id[len(self.reservation_id) :]}"
        return replace(self, reservation_id=reservation_id, command_id=command_id, asks=False, closes=False)

    def admit(self, wallet_id: str, expires_at: int, note: str, *, over: bool = False) -> Admit:
        """Return the command that opens the reservation empty, before a commit; with ``over``, as a tombstone."""
        return Admit(
            command_id=f"{self.command_id}/{'over' if over else 'open'}",
            reservation_id=self.reservation_id,
            wallet_id=wallet_id,
            expires_at=expires_at,
            note=note,
            over=over,
            closing_note=settling_note(ClosingCause.UNKNOWN) if over else "",
        )


def reservation_id_of(session_id: str, service: ServiceCreditControl) -> str:
    """Return the reservation id of a group: the Session-Id, plus its rating group or its service identifiers."""
    if service.rating_group is not None:
        return f"{session_id}#rg{service.rating_group}"
    if service.service_identifiers:
        return f"{session_id}#si{'.'.join(map(str, service.service_identifiers))}"
    return session_id


def services_of(request: CreditControlRequest) -> tuple[ServiceCreditControl, ...]:
    """Return the groups of units that a request contains or implies.

    Raises:
        DiameterError: 5009 two groups are for the same units, or there are too many groups.
    """
    services = request.services
    if not services and request.direct is not None:
        services = (request.direct,)
    if not services and request.cc_request_type is CcRequestType.INITIAL:
        # An INITIAL without a group asks for an amount that the server chooses, unless the client announces that
        # it will
        # ask for each rating group later (RFC 8506, 5.2.1).
        later = request.multiple_services_indicator == MULTIPLE_SERVICES_SUPPORTED
        services = () if later else (_ANY_AMOUNT,)
    if len(services) > 1:
        groups = {reservation_id_of(request.session_id, service) for service in services}
        if len(groups) < len(services) or len(services) > MAX_SERVICES:
            raise DiameterError(
                ResultCode.AVP_OCCURS_TOO_MANY_TIMES,
                f"at most {MAX_SERVICES} groups of units, each for another rating group",
                d.MULTIPLE_SERVICES_CREDIT_CONTROL.example(),
            )
    return services


def asks_for_other_units(service: ServiceCreditControl) -> bool:
    """Return whether a group asks only for service-specific units or money, which have no tariff here."""
    return service.requested is not None and service.requested.is_not_of_packets


def check_kind(request: CreditControlRequest) -> None:
    """Refuse a service other than packet data (RFC 8506, 9.2).

    Raises:
        DiameterError: 5031.
    """
    context = request.service_context_id
    # A release prefix is allowed, as in "15.32251@3gpp.org" (TS 32.299, 7.1.12); the domain ignores case.
    if not context.endswith(SERVICE_CONTEXT_PS) and not context.lower().endswith(SERVICE_CONTEXT_PS):
        raise DiameterError(
            ResultCode.RATING_FAILED,
            f"only {SERVICE_CONTEXT_PS} is charged here",
            d.SERVICE_CONTEXT_ID.failed(context.encode()),
        )


def steps_of(
    request: CreditControlRequest,
    policy: ChargingPolicy,
    open_reservation_ids: set[str],
    moved: Bearer | None = None,
) -> list[Step]:
    """Return the steps of a request.

    What each step does depends on the request only, so that a replay does the same under the same command id.

    Args:
        request: the request.
        policy: the operator's settings.
        open_reservation_ids: the session's known reservations; a TERMINATION closes all of them.
        moved: the bearer, if its location differs from the location at the opening.
    """
    number = request.cc_request_number
    kind = request.cc_request_type
    restricts = policy.restricts(request.origin_host)
    closes = kind is CcRequestType.TERMINATION
    termination = request.termination_cause
    steps: list[Step] = []
    for service in services_of(request):
        reservation_id = reservation_id_of(request.session_id, service)
        # Units other than octets and seconds have no tariff: their group is refused, but its usage is booked.
        asks = not (closes or asks_for_other_units(service)) and (
            service.requested is not None
            or kind is CcRequestType.INITIAL
            # With control-only access, the client's final report asks whether more can be granted.
            or (restricts and service.is_final_report)
        )
        steps.append(
            Step(
                service=service,
                reservation_id=reservation_id,
                command_id=f"{reservation_id}#{number}",
                asks=asks,
                closes=closes,
                note=usage_note(service, moved, closes=closes, termination=termination),
            )
        )
    # A request without a group is about the session itself; a replay must find it again.
    unnamed = set() if steps else {request.session_id}
    if closes:
        unnamed |= open_reservation_ids - {step.reservation_id for step in steps}
    steps += [
        Step(
            service=ServiceCreditControl(),
            reservation_id=reservation_id,
            command_id=f"{reservation_id}#{number}",
            asks=False,
            closes=closes,
            answered=False,
            note=usage_note(_ANY_AMOUNT, moved, closes=closes, termination=termination),
        )
        for reservation_id in sorted(unnamed)
    ]
    return steps
