"""A line's profile: its states (SGP.22), its numbers and its activation code. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from kswifi.esim.errors import IllegalProfileTransitionError, NoCardNumbersError, NumbersUsedUpError
from kswifi.kernel.numbers import Eid, Iccid, Imsi, luhn_digit


class ProfileState(StrEnum):
    """The state of a profile at the SM-DP+ (SGP.22 v2, 3.1.6)."""

    AVAILABLE = "available"
    ALLOCATED = "allocated"
    LINKED = "linked"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed"
    ERROR = "error"
    UNAVAILABLE = "unavailable"


class ProfileEvent(StrEnum):
    """An event that changes a profile's state."""

    ALLOCATE = "allocate"
    LINK = "link"
    CONFIRM = "confirm"
    RELEASE = "release"
    DOWNLOAD = "download"
    INSTALL = "install"
    FAIL = "fail"
    WITHDRAW = "withdraw"


_S = ProfileState
_E = ProfileEvent

PROFILE_TRANSITIONS: Final[Mapping[tuple[ProfileState, ProfileEvent], ProfileState]] = MappingProxyType(
    {
        (_S.AVAILABLE, _E.ALLOCATE): _S.ALLOCATED,
        (_S.AVAILABLE, _E.LINK): _S.LINKED,
        (_S.ALLOCATED, _E.LINK): _S.LINKED,
        (_S.ALLOCATED, _E.CONFIRM): _S.CONFIRMED,
        (_S.LINKED, _E.CONFIRM): _S.CONFIRMED,
        (_S.CONFIRMED, _E.RELEASE): _S.RELEASED,
        (_S.RELEASED, _E.DOWNLOAD): _S.DOWNLOADED,
        (_S.DOWNLOADED, _E.INSTALL): _S.INSTALLED,
        (_S.RELEASED, _E.FAIL): _S.ERROR,
        (_S.DOWNLOADED, _E.FAIL): _S.ERROR,
        # After a card could not install it, the card may try again: the order goes back to Released.
        (_S.DOWNLOADED, _E.RELEASE): _S.RELEASED,
        (_S.ERROR, _E.RELEASE): _S.RELEASED,
        # The notification of a success may arrive after that of a failure, or after the order was released again.
        (_S.ERROR, _E.INSTALL): _S.INSTALLED,
        (_S.RELEASED, _E.INSTALL): _S.INSTALLED,
        **{
            (state, _E.WITHDRAW): _S.UNAVAILABLE
            for state in ProfileState
            if state not in (_S.AVAILABLE, _S.INSTALLED, _S.UNAVAILABLE)
        },
    }
)
"""All transitions (SGP.22 v2, 3.1.6, figures 6 and 7). A pair that is not listed is illegal."""


def next_profile_state(state: ProfileState, event: ProfileEvent) -> ProfileState:
    """Return the state after an event.

    Raises:
        IllegalProfileTransitionError: the table does not list this event for this state.
    """
    following = PROFILE_TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalProfileTransitionError(
            f"a profile that is {state} cannot take {event}", state=str(state), event=str(event)
        )
    return following


class LineKind(StrEnum):
    """What a line is, and so what it can do."""

    CARD = "card"
    """A profile of ours, with numbers and keys; its card stores session records."""
    PROFILE = "profile"
    """A profile that a data provider issued: no record can be written to its card."""
    OWN_LINE = "own_line"
    """The mobile line that the person has, which a data provider loads."""


class Hold(StrEnum):
    """Why a line has control-only access."""

    PAUSED = "paused"
    LIMITED = "limited"
    """The limit of the day, which the owner has set, is reached."""
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class CardNumbers:
    """The numbers of a card of ours."""

    iccid: Iccid
    imsi: Imsi
    matching_id: str


@dataclass(frozen=True, slots=True)
class ESim:
    """A line and its profile; its id is also the id of its wallet in the ledger.

    ``wants_pause`` is the owner's latest wish, and ``wish`` counts changes of it. ``hold`` is the hold that
    the ledger has confirmed. ``frozen`` means that nothing is granted to the line, whatever its owner wants;
    ``wants_frozen`` and ``freeze_wish`` are the latest request of that. ``smdp_address`` is the external SM-DP+
    that has the profile, None for our own.
    ``iccid``, ``imsi`` and ``matching_id`` are None for a line that a data provider serves.
    """

    esim_id: str
    user_id: str
    iccid: Iccid | None
    imsi: Imsi | None
    matching_id: str | None
    eid: Eid | None
    profile_state: ProfileState
    hold: Hold | None
    wants_pause: bool
    wish: int
    created_at: datetime
    smdp_address: str | None = None
    frozen: bool = False
    wants_frozen: bool = False
    freeze_wish: int = 0
    replaced_by: str | None = None
    """The line that the owner has in its place since a move to a new phone."""
    kind: LineKind = LineKind.CARD
    pause_ends_at: datetime | None = None
    """The end of the pause that ``wants_pause`` wishes for; None for one without an end."""

    @property
    def numbers(self) -> CardNumbers:
        """The numbers of a line of the kind CARD.

        Raises:
            NoCardNumbersError: a data provider serves the line; it has none here.
        """
        if self.iccid is None or self.imsi is None or self.matching_id is None:
            raise NoCardNumbersError(
                "a data provider serves this line: it has no numbers here", kind=str(self.kind)
            )
        return CardNumbers(self.iccid, self.imsi, self.matching_id)

    @property
    def network_name(self) -> str:
        """The name under which the ledger's network finds the line: its IMSI, else a name that no network uses."""
        return str(self.imsi) if self.imsi is not None else f"line:{self.esim_id}"

    @property
    def is_card(self) -> bool:
        """Whether the line is a card of ours, which can store records."""
        return self.kind is LineKind.CARD

    @property
    def record_travels_apart(self) -> bool:
        """Tell whether the profile has no session record, so that secured packets must write the first one."""
        return self.smdp_address is not None


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The range from which new lines get their numbers.

    Attributes:
        iccid_prefix: the first digits of every ICCID (ITU-T E.118: 89, country, issuer).
        plmn: MCC and MNC of the IMSIs; 001 01 is the test network of TS 23.003.
    """

    iccid_prefix: str = "8999901"
    plmn: str = "00101"

    def checked(self) -> Self:
        """Return the range after checking that ICCIDs and IMSIs can have these prefixes.

        Raises:
            NumbersUsedUpError: the prefixes are malformed, or leave no digit for serial numbers.
        """
        fits = re.fullmatch(r"89[0-9]{3,12}", self.iccid_prefix) and re.fullmatch(r"[0-9]{5,6}", self.plmn)
        if not fits:
            raise NumbersUsedUpError("an ICCID begins with 89 and 3 to 12 digits more, an IMSI with 5 or 6 digits")
        return self

    def iccid(self, serial: int) -> Iccid:
        """Return the 19-digit ICCID of a serial number, check digit included.

        Raises:
            NumbersUsedUpError: the range has no such number.
        """
        digits = self._fill(self.iccid_prefix, serial, 18)
        return Iccid(digits + luhn_digit(digits))

    def imsi(self, serial: int) -> Imsi:
        """Return the 15-digit IMSI of a serial number.

        Raises:
            NumbersUsedUpError: the range has no such number.
        """
        return Imsi(self._fill(self.plmn, serial, 15))

    @staticmethod
    def _fill(prefix: str, serial: int, length: int) -> str:
        digits = f"{prefix}{serial:0{length - len(prefix)}d}"
        if len(digits) > length:
            raise NumbersUsedUpError(f"the range {prefix} has no number {serial}", prefix=prefix, serial=serial)
        return digits


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Settings that users type in if all else fails: the SM-DP+ address and the access point (APN)."""

    smdp_address: str
    apn: str = "internet"
    apn_user_name: str = "kswifi"
    apn_password: str = "kswifi"  # noqa: S105 - not a secret: every package contains it, like the APN password of other carriers


_MATCHING_ID_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_matching_id(random_bytes: Callable[[int], bytes]) -> str:
    """Return a MatchingID of 80 random bits, in groups for reading aloud (SGP.22 v2, 4.1: A-Z, 0-9, hyphen)."""
    digits = "".join(_MATCHING_ID_ALPHABET[octet & 31] for octet in random_bytes(16))
    return "-".join(digits[at : at + 4] for at in range(0, 16, 4))


def activation_code(smdp_address: str, matching_id: str) -> str:
    """Return the activation code for a QR code (SGP.22 v2, 4.1): ``LPA:1$address$matching id``."""
    return f"LPA:1${smdp_address}${matching_id}"
