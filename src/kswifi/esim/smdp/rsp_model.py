"""Rules of the SM-DP+: which order a card may download, and the states of an RspSession. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kswifi.esim.errors import IllegalRspTransitionError
from kswifi.esim.model import ProfileState
from kswifi.kernel.numbers import Eid
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.euicc_info import EuiccInfo2, UiccCapability
from kswifi.rsp.messages.metadata import PolicyRule
from kswifi.rsp.status_codes import RspRefusedError, Status

_STATE_REASON_OCTETS: Final = 200

KEEPS_THE_ORDER: Final = frozenset({CancelReason.POSTPONED, CancelReason.TIMEOUT})
"""Reasons after which the card may ask again for the profile (SGP.22 v2, 3.1.3); any other ends its order."""


class RspSessionState(StrEnum):
    """The state of an RspSession. Before its card has authenticated, an RspSession exists only as its ticket."""

    AUTHENTICATED = "authenticated"
    BOUND = "bound"
    INSTALLED = "installed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RspSessionEvent(StrEnum):
    """An event that changes an RspSession's state."""

    BIND = "bind"
    INSTALL = "install"
    FAIL = "fail"
    CANCEL = "cancel"


_S = RspSessionState
_E = RspSessionEvent

RSP_SESSION_TRANSITIONS: Final[Mapping[tuple[RspSessionState, RspSessionEvent], RspSessionState]] = (
    MappingProxyType(
        {
            (_S.AUTHENTICATED, _E.BIND): _S.BOUND,
            (_S.AUTHENTICATED, _E.FAIL): _S.FAILED,
            (_S.AUTHENTICATED, _E.CANCEL): _S.CANCELLED,
            (_S.BOUND, _E.BIND): _S.BOUND,  # a repeated request: its answer was lost
            (_S.BOUND, _E.INSTALL): _S.INSTALLED,
            (_S.BOUND, _E.FAIL): _S.FAILED,
            (_S.BOUND, _E.CANCEL): _S.CANCELLED,
            # Notifications arrive in any order: a signed success overrides an earlier failure or cancellation.
            (_S.FAILED, _E.INSTALL): _S.INSTALLED,
            (_S.CANCELLED, _E.INSTALL): _S.INSTALLED,
        }
    )
)
"""All transitions. A pair that is not listed is illegal."""


def next_rsp_state(state: RspSessionState, event: RspSessionEvent) -> RspSessionState:
    """Return the state after an event.

    Raises:
        IllegalRspTransitionError: the table does not list this event for this state.
    """
    following = RSP_SESSION_TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalRspTransitionError(
            f"an RspSession that is {state} cannot {event}", state=str(state), event=str(event)
        )
    return following


@dataclass(frozen=True, slots=True)
class SmdpRules:
    """Limits of the SM-DP+."""

    downloads: int = 10
    """How many times a profile's package may be bound for one order."""
    confirmation_code_tries: int = 3
    order_life: timedelta | None = None
    """How long an operator's order can be downloaded after its release; None for no limit."""
    ticket_life: timedelta = timedelta(minutes=10)
    """Time limit from initiateAuthentication to authenticateClient."""
    rsp_session_life: timedelta = timedelta(hours=1)
    """Time limit from authenticateClient to getBoundProfilePackage; install results are accepted for longer."""
    result_life: timedelta = timedelta(days=90)
    random_protection_keys: bool = True
    """True: a profile is protected by random keys of its own; False: by the session keys (SGP.22, 2.5.4)."""


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """One download order. Exactly one of ``esim_id`` and ``package_name`` is set and names the profile's source.

    With an ``operator_id``, the profile is from that operator's stock, and ``package_name`` is its ICCID.

    ``eid``: the card for which the order is, set when ordered or at the first download. ``iccid``: as digits.
    ``bound_otpk``, ``bound_identity``, ``sealed_binding``: the newest binding, None before the first.
    """

    order_id: str
    matching_id: str | None
    iccid: str
    esim_id: str | None
    package_name: str | None
    profile_state: ProfileState
    state_reason: str | None
    eid: Eid | None
    confirmation_code_digest: bytes | None
    confirmation_code_failures: int
    downloads: int
    expires_at: datetime | None
    bound_otpk: bytes | None
    bound_identity: bytes | None
    sealed_binding: bytes | None
    operator_id: str | None
    profile_type: str | None
    deleted_sequence: int | None = None
    """The sequence number of the card's notification that it deleted the profile; None if there was none."""

    def has_expired(self, now: datetime) -> bool:
        """Tell whether a released order's download time has passed; a housekeeping job then moves it to Error."""
        waiting = (ProfileState.RELEASED, ProfileState.DOWNLOADED, ProfileState.ERROR)
        return self.profile_state in waiting and self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class PackageNeeds:
    """The requirements of a profile package: capabilities (bits of UICCCapability), octets, and policy rules."""

    capabilities: frozenset[int]
    octets: int
    policy_rules: frozenset[int] = frozenset()


_CAPABILITY_OF_SERVICE: Final = {
    "usim": UiccCapability.USIM,
    "milenage": UiccCapability.MILENAGE,
    "javacard": UiccCapability.JAVACARD,
}


def needed_capabilities(mandatory_services: tuple[str, ...]) -> frozenset[int]:
    """Return the capabilities that a card must report for these services. The card itself judges other services."""
    return frozenset(
        int(bit) for name in mandatory_services if (bit := _CAPABILITY_OF_SERVICE.get(name)) is not None
    )


def check_order(order: ProfileOrder, eid: Eid, rules: SmdpRules, now: datetime) -> None:
    """Check that this card may download this order now (SGP.22, 5.6.3).

    Raises:
        RspRefusedError: with the code of the first check that fails.
    """
    state = order.profile_state
    if order.eid is not None and order.eid != eid:
        raise RspRefusedError(Status.EID_MISMATCH)
    if order.confirmation_code_failures >= rules.confirmation_code_tries:
        raise RspRefusedError(Status.CONFIRMATION_CODE_RETRIES_EXCEEDED)
    if state in (ProfileState.AVAILABLE, ProfileState.ALLOCATED, ProfileState.LINKED, ProfileState.CONFIRMED):
        raise RspRefusedError(Status.PROFILE_NOT_RELEASED)
    if order.has_expired(now):
        raise RspRefusedError(Status.ORDER_EXPIRED)
    if state not in (ProfileState.RELEASED, ProfileState.DOWNLOADED):
        raise RspRefusedError(Status.MATCHING_ID_REFUSED, f"the profile is {state}")
    if order.downloads >= rules.downloads:
        raise RspRefusedError(Status.DOWNLOAD_RETRIES_EXCEEDED)


def check_card(needs: PackageNeeds, card: EuiccInfo2) -> None:
    """Check that this card can install the package (SGP.22, 5.6.3: the eligibility check).

    Raises:
        RspRefusedError: it lacks a capability or memory, or forbids a policy rule of the profile.
    """
    if not needs.capabilities <= card.uicc_capability:
        missing = ", ".join(
            UiccCapability(bit).name.lower() for bit in sorted(needs.capabilities - card.uicc_capability)
        )
        raise RspRefusedError(Status.NOT_ELIGIBLE, f"the card lacks {missing}")
    forbidden = needs.policy_rules & (card.forbidden_policy_rules or frozenset())
    if forbidden:
        named = ", ".join(PolicyRule(rule).name.lower() for rule in sorted(forbidden))
        raise RspRefusedError(Status.NOT_ELIGIBLE, f"the card forbids the profile policy rules {named}")
    resource = card.ext_card_resource
    if resource is not None and resource.free_non_volatile_octets < needs.octets:
        raise RspRefusedError(Status.NO_MEMORY)


def reason_text(words: str) -> str:
    """Return a text, cut to the maximum length of a state's reason."""
    return words[:_STATE_REASON_OCTETS]
