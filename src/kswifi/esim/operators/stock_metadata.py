"""Metadata that an operator sets for a stocked profile, and how long its orders last. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final, Self

from kswifi.esim.errors import OperatorRefusedError
from kswifi.kernel.numbers import swap_nibbles
from kswifi.rsp.fields import Fields
from kswifi.rsp.messages.metadata import (
    MAX_ICON_OCTETS,
    MAX_PROFILE_NAME_OCTETS,
    IconType,
    PolicyRule,
    ProfileOwner,
)

MOST_ORDER_DAYS: Final = 3650
_OWNER_TAG: Final = 0xB7
_GID_OCTETS: Final = 32
_MOST_GROUPS: Final = 2
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class StockMetadata:
    """Metadata of a stocked profile (SGP.22, 5.5.3). None: taken from the package, or omitted.

    ``order_days`` is how many days an order can be downloaded after its release, None for the default.
    """

    profile_name: str | None = None
    icon: bytes | None = field(default=None, repr=False)
    owner: ProfileOwner | None = None
    policy_rules: frozenset[int] = frozenset()
    order_days: int | None = None

    def checked(self) -> Self:
        """Return the metadata after checking that a card can accept it.

        Raises:
            OperatorRefusedError: a name or icon is too long, the icon is neither PNG nor JPEG, policy rules have no
                owner (SGP.22, 5.5.3: a card authorises them by the operator), or the days are out of range.
        """
        name = self.profile_name
        if name is not None and not (name.isprintable() and 0 < len(name.encode()) <= MAX_PROFILE_NAME_OCTETS):
            raise OperatorRefusedError(f"a profile name has 1 to {MAX_PROFILE_NAME_OCTETS} octets, all printable")
        if self.icon is not None and len(self.icon) > MAX_ICON_OCTETS:
            raise OperatorRefusedError(f"an icon has at most {MAX_ICON_OCTETS} octets", octets=len(self.icon))
        if self.icon is not None and self.icon_type is None:
            raise OperatorRefusedError("an icon is a PNG or a JPEG")
        if not self.policy_rules <= set(PolicyRule):
            raise OperatorRefusedError("there is no such profile policy rule")
        if self.policy_rules and self.owner is None:
            raise OperatorRefusedError("profile policy rules need the profile's owner")
        if self.order_days is not None and not 0 < self.order_days <= MOST_ORDER_DAYS:
            raise OperatorRefusedError(f"an order can be downloaded for 1 to {MOST_ORDER_DAYS} days")
        return self

    @property
    def icon_type(self) -> IconType | None:
        """Return the icon's format by its first octets; None without an icon, or if its format is unknown."""
        icon = self.icon or b""
        if icon.startswith(_PNG):
            return IconType.PNG
        return IconType.JPEG if icon.startswith(_JPEG) else None

    def columns(self) -> dict[str, Any]:
        """Return the metadata as columns of ``operator_profile``."""
        return {
            "profile_name": self.profile_name,
            "icon": self.icon,
            "owner": None if self.owner is None else self.owner.encode(_OWNER_TAG),
            "policy_rules": sum(1 << rule for rule in self.policy_rules) or None,
            "order_days": self.order_days,
        }

    @classmethod
    def from_columns(
        cls,
        profile_name: str | None,
        icon: bytes | None,
        owner: bytes | None,
        policy_rules: int | None,
        order_days: int | None,
    ) -> Self:
        """Return the metadata from columns that ``columns`` wrote."""
        read_owner = None
        if owner is not None:
            read_owner = ProfileOwner.decode(Fields(owner, "owner").required(_OWNER_TAG).value)
        rules = frozenset(int(rule) for rule in PolicyRule if (policy_rules or 0) >> rule & 1)
        return cls(profile_name, icon, read_owner, rules, order_days)


def packed_plmn(plmn: str) -> bytes:
    """Return MCC and MNC in the packed form of TS 24.008 (10.5.1.3)."""
    mcc, mnc = plmn[:3], plmn[3:].ljust(3, "F")
    return swap_nibbles(mcc + mnc[2] + mnc[:2])


def profile_owner(text: str) -> ProfileOwner:
    """Parse a profile owner: ``MCCMNC[/GID1[/GID2]]``, with the group identifiers in hexadecimal.

    Raises:
        OperatorRefusedError: the PLMN does not have 5 or 6 digits, or a group identifier is malformed.
    """
    plmn, *identifiers = text.split("/")
    if not (plmn.isascii() and plmn.isdigit() and len(plmn) in (5, 6)):
        raise OperatorRefusedError("an owner is MCC and MNC: 5 or 6 digits", owner=plmn[:16])
    try:
        groups = [bytes.fromhex(identifier) for identifier in identifiers]
    except ValueError:
        raise OperatorRefusedError("a group identifier is hexadecimal") from None
    if len(groups) > _MOST_GROUPS or any(len(group) > _GID_OCTETS for group in groups):
        raise OperatorRefusedError(f"an owner has two group identifiers of at most {_GID_OCTETS} octets")
    return ProfileOwner(packed_plmn(plmn), *(group or None for group in groups))
