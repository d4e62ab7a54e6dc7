"""From a credit-control request to the ledger's commands: one for each group of units, each with its own id."""

from dataclasses import dataclass, replace
from typing import Final

from kswifi.charging.journal_notes import Bearer, ClosingCause, settling_note, usage_note
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter import dictionary as d
from kswifi.diameter.constants import MULTIPLE_SERVICES_SUPPORTED, SERVICE_CONTEXT_PS, CcRequestType, ResultCode
from kswifi.diameter.errors import DiameterError
from kswifi.diameter.messages.credit_control import CreditControlRequest
from kswifi.diameter.messages.units import ServiceCreditControl, ServiceUnit
from kswifi.ledger.commands import Admit, Ask, Commit, Reserve

MAX_SERVICES: Final = 32
"""Groups of units in one request; a phone has a handful of rating groups."""

_ANY_AMOUNT: Final = ServiceCreditControl(requested=ServiceUnit())


@dataclass(frozen=True, slots=True)
class Step:
    """One group of units of a request, with the reservation it belongs to."""

    service: ServiceCreditControl
    reservation_id: str
    command_id: str
    asks: bool
    """Whether an answer without a grant would be wrong."""
    closes: bool
    answered: bool = True
    """False where the request did not name it: what a TERMINATION closes beside, and the session itself."""
    note: str = ""
    """What the journal keeps of the report beside its sum."""

    def commit(self, ask: Ask) -> Commit:
        """Return the command that books what was used."""
        return Commit(
            command_id=self.command_id,
            reservation_id=self.reservation_id,
            used_octets=self.service.used_octets,
            ask=ask if self.asks else None,
            close=self.closes,
            note=self.note,
        )

    def reserve(self, wallet_id: str, ask: Ask, note: str) -> Reserve:
        """Return the command that opens the reservation, with a grant or without: a replay finds either again."""
        return Reserve(
            command_id=self.command_id,
            reservation_id=self.reservation_id,
            wallet_id=wallet_id,
            ask=ask,
            note=note,
            admit=True,
        )

    def as_late(self) -> "Step":
        """Return the same usage for a tombstone of its own, which never stands in the session's way."""
        reservation_id = f"{self.reservation_id}/late"
        command_id = f"{reservation_id}{self.command_id[len(self.reservation_id) :]}"
        return replace(self, reservation_id=reservation_id, command_id=command_id, asks=False, closes=False)

    def admit(self, wallet_id: str, expires_at: int, note: str, *, over: bool = False) -> Admit:
        """Return the command that opens the reservation with nothing in it, ahead of a commit; or a tombstone."""
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
    """Return the reservation of a group: the Session-Id, with what tells several groups of it apart."""
    if service.rating_group is not None:
        return f"{session_id}#rg{service.rating_group}"
    if service.service_identifiers:
        return f"{session_id}#si{'.'.join(map(str, service.service_identifiers))}"
    return session_id


def services_of(request: CreditControlRequest) -> tuple[ServiceCreditControl, ...]:
    """Return the groups of units that a request holds, or means.

    Raises:
        DiameterError: 5009 two groups are for the same units, or there are too many.
    """
    services = request.services
    if not services and request.direct is not None:
        services = (request.direct,)
    if not services and request.cc_request_type is CcRequestType.INITIAL:
        # Without any group, an INITIAL asks for what the server sees fit, unless the client says that it will
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
    """Tell whether a group asks for service-specific units or money, and for nothing that is charged here."""
    return service.requested is not None and service.requested.is_not_of_packets


def check_kind(request: CreditControlRequest) -> None:
    """Refuse what no tariff here knows (RFC 8506, 9.2).

    Raises:
        DiameterError: 5031.
    """
    context = request.service_context_id
    # A release may stand before it, as in "15.32251@3gpp.org" (TS 32.299, 7.1.12); the domain ignores case.
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
    """Return what a request wants of the ledger.

    What each step does depends on the request alone, so that a replay does the same under the same id.

    Args:
        request: the request.
        policy: what the operator set.
        open_reservation_ids: the session's reservations as far as they are known; a TERMINATION closes them all.
        moved: the bearer, if it is no longer where it was opened.
    """
    number = request.cc_request_number
    kind = request.cc_request_type
    restricts = policy.restricts(request.origin_host)
    closes = kind is CcRequestType.TERMINATION
    termination = request.termination_cause
    steps: list[Step] = []
    for service in services_of(request):
        reservation_id = reservation_id_of(request.session_id, service)
        # Units other than octets and seconds have no tariff here: their group is refused, and its usage is booked.
        asks = not (closes or asks_for_other_units(service)) and (
            service.requested is not None
            or kind is CcRequestType.INITIAL
            # A network that restricts asks by its final report whether anything follows.
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
    # A request that names no group is about the session itself, which a replay has to find again.
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
