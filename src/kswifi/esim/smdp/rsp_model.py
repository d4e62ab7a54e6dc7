"""The SM-DP+'s rules: which order a card gets, and the life of an RspSession. Pure."""

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
"""Cancellations after which the profile may still be asked for (SGP.22 v2, 3.1.3); every other ends its order."""


class RspSessionState(StrEnum):
    """Where an RspSession is; one whose card has not proved itself yet is held by its ticket alone."""

    AUTHENTICATED = "authenticated"
    BOUND = "bound"
    INSTALLED = "installed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RspSessionEvent(StrEnum):
    """What can happen to an RspSession."""

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
            (_S.BOUND, _E.BIND): _S.BOUND,  # the same request again: its answer was lost
            (_S.BOUND, _E.INSTALL): _S.INSTALLED,
            (_S.BOUND, _E.FAIL): _S.FAILED,
            (_S.BOUND, _E.CANCEL): _S.CANCELLED,
            # Notifications come in any order: a success that the card signed wins over what was heard before.
            (_S.FAILED, _E.INSTALL): _S.INSTALLED,
            (_S.CANCELLED, _E.INSTALL): _S.INSTALLED,
        }
    )
)
"""The whole machine. A pair that is not here is refused."""


def next_rsp_state(state: RspSessionState, event: RspSessionEvent) -> RspSessionState:
    """Return the state that follows.

    Raises:
        IllegalRspTransitionError: the machine does not list this event for this state.
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
    """How often a profile's package is bound for one order."""
    confirmation_code_tries: int = 3
    order_life: timedelta | None = None
    """How long an operator's order can be downloaded after its release; None is without end."""
    ticket_life: timedelta = timedelta(minutes=10)
    """From initiateAuthentication to authenticateClient."""
    rsp_session_life: timedelta = timedelta(hours=1)
    """From authenticateClient to the bound profile package; its install result is taken for longer."""
    result_life: timedelta = timedelta(days=90)
    random_protection_keys: bool = True
    """Profiles under random keys of their own; False keeps the session keys (SGP.22, 2.5.4)."""


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """One download order; exactly one of ``esim_id`` and ``package_name`` says where its profile comes from.

    With an ``operator_id`` it is a profile of that operator's stock, and ``package_name`` is its ICCID.

    ``eid``: the card it is meant for, known from the start or from the first download. ``iccid`` is as digits.
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
    """The sequence number by which the card reported that it deleted the profile, None where it did not."""

    def has_expired(self, now: datetime) -> bool:
        """Tell whether the time for downloading a released order is over; a chore then moves it to Error."""
        waiting = (ProfileState.RELEASED, ProfileState.DOWNLOADED, ProfileState.ERROR)
        return self.profile_state in waiting and self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class PackageNeeds:
    """What a profile package needs of a card: capabilities (bits of UICCCapability), octets and policy rules."""

    capabilities: frozenset[int]
    octets: int
    policy_rules: frozenset[int] = frozenset()


_CAPABILITY_OF_SERVICE: Final = {
    "usim": UiccCapability.USIM,
    "milenage": UiccCapability.MILENAGE,
    "javacard": UiccCapability.JAVACARD,
}


def needed_capabilities(mandatory_services: tuple[str, ...]) -> frozenset[int]:
    """Return the capabilities that a card has to report for these services; the rest is the card's to judge."""
    return frozenset(
        int(bit) for name in mandatory_services if (bit := _CAPABILITY_OF_SERVICE.get(name)) is not None
    )


def check_order(order: ProfileOrder, eid: Eid, rules: SmdpRules, now: datetime) -> None:
    """See that this card may download this order now (SGP.22, 5.6.3).

    Raises:
        RspRefusedError: with the code of the first thing that is wrong.
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
    """See that this card can take the package (SGP.22, 5.6.3: the eligibility check).

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
    """Return words cut to what a state's reason may have."""
    return words[:_STATE_REASON_OCTETS]
