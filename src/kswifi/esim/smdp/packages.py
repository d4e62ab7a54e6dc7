"""Sources of profile packages: built for a line of ours, read from a folder, or stocked by an operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, select

from kswifi.esim.errors import PackageRefusedError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.operators.operators import open_stocked_package
from kswifi.esim.operators.stock_metadata import StockMetadata, packed_plmn
from kswifi.esim.smdp.rsp_model import PackageNeeds, ProfileOrder, needed_capabilities
from kswifi.esim.sql import esim
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Iccid, Imsi, swap_nibbles
from kswifi.rsp.access_rules import CarrierApp
from kswifi.rsp.messages.metadata import (
    MAX_ICON_OCTETS,
    IconType,
    NotificationConfiguration,
    NotificationEvent,
    ProfileClass,
    ProfileMetadata,
    ProfileOwner,
)
from kswifi.rsp.saip.build import ProfileParameters, build_profile
from kswifi.rsp.saip.elements import ProfileHeader, uses_test_algorithm
from kswifi.rsp.saip.package import PACKAGE_MAX_OCTETS, read_package

MOST_FILES: Final = 1000
OWN_PROFILE_NEEDS: Final = PackageNeeds(needed_capabilities(("usim", "milenage")), 8192)
_TOLD_EVENTS: Final = frozenset({NotificationEvent.ENABLE, NotificationEvent.DISABLE, NotificationEvent.DELETE})
_PROVIDER_NAME: Final = "KSWiFi"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StockedPackage:
    """A profile package of the folder, parsed once when the server starts."""

    name: str
    iccid: str
    octets: bytes = field(repr=False)
    icon: bytes | None = field(repr=False)
    profile_name: str
    needs: PackageNeeds
    profile_class: ProfileClass
    """Test if its applications use the algorithm of test USIMs, which provides no security."""
    provider_name: str = _PROVIDER_NAME
    icon_type: IconType | None = None
    owner: ProfileOwner | None = None
    policy_rules: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SourceOfProfile:
    """The source data of a profile, read in a transaction; the package is built after it."""

    stocked: StockedPackage | None
    own: ProfileParameters | None

    def package(self) -> bytes:
        """Return the unprotected profile package."""
        if self.stocked is not None:
            return self.stocked.octets
        assert self.own is not None  # noqa: S101 - exactly one of the two is set
        return build_profile(self.own)


class Packages:
    """The profile packages that the SM-DP+ can serve."""

    def __init__(
        self,
        vault: SubscriberVault,
        address: str,
        stock: Mapping[str, StockedPackage] | None = None,
        plmn: str = "00101",
        carrier_apps: tuple[CarrierApp, ...] = (),
    ) -> None:
        self._vault = vault
        self._stock = dict(stock or {})
        self._notifications = (NotificationConfiguration(_TOLD_EVENTS, address),)
        self._owner = ProfileOwner(packed_plmn(plmn))
        self._mnc_digits = len(plmn) - 3
        self._carrier_apps = carrier_apps
        self._icon = files("kswifi.esim").joinpath("icon.png").read_bytes()

    def stocked(self, name: str) -> StockedPackage | None:
        """Return the package of the folder with this name, which every card may order, or None."""
        return self._stock.get(name)

    def is_stocked(self, name: str) -> bool:
        """Tell whether there is a package that anybody may order under this name."""
        return name in self._stock

    def needs(self, connection: Connection, order: ProfileOrder) -> PackageNeeds:
        """Return what the order's package requires of a card.

        Raises:
            PackageRefusedError: its file was removed from the folder.
        """
        return OWN_PROFILE_NEEDS if order.package_name is None else self._of(connection, order).needs

    def metadata(self, connection: Connection, order: ProfileOrder) -> bytes:
        """Return StoreMetadata (BF25) of the order's profile; raises as ``needs``."""
        iccid = iccid_octets(order.iccid)
        if order.package_name is None:
            return ProfileMetadata(
                iccid=iccid,
                service_provider_name=_PROVIDER_NAME,
                profile_name=_PROVIDER_NAME,
                icon_type=IconType.PNG,
                icon=self._icon,
                profile_class=ProfileClass.OPERATIONAL,
                notifications=self._notifications,
                owner=self._owner,
            ).encode()
        stocked = self._of(connection, order)
        return ProfileMetadata(
            iccid=iccid,
            service_provider_name=stocked.provider_name,
            profile_name=stocked.profile_name,
            icon_type=stocked.icon_type,
            icon=stocked.icon,
            profile_class=stocked.profile_class,
            notifications=self._notifications,
            owner=stocked.owner,
            policy_rules=stocked.policy_rules or None,
        ).encode()

    def source(self, connection: Connection, order: ProfileOrder) -> SourceOfProfile:
        """Return the source data of the order's profile.

        Raises:
            PackageRefusedError: its file was removed from the folder.
            SubscriberKeysDamagedError: the keys or the package cannot be decrypted.
        """
        if order.package_name is not None:
            return SourceOfProfile(self._of(connection, order), None)
        columns = (esim.c.iccid, esim.c.imsi, esim.c.sealed_keys, esim.c.session_record)
        row = connection.execute(select(*columns).where(esim.c.esim_id == order.esim_id)).one()
        if row.session_record is None:
            raise PackageRefusedError("the profile has no session record yet", order_id=order.order_id)
        own = line_profile(
            vault=self._vault,
            iccid=Iccid(row.iccid),
            imsi=Imsi(row.imsi),
            sealed_keys=row.sealed_keys,
            session_record=row.session_record,
            mnc_digits=self._mnc_digits,
            carrier_apps=self._carrier_apps,
        )
        return SourceOfProfile(None, own)

    def _of(self, connection: Connection, order: ProfileOrder) -> StockedPackage:
        if order.operator_id is not None:
            octets, name, said = open_stocked_package(connection, self._vault, order.iccid)
            return with_metadata(parse_stocked(order.iccid, octets, provider_name=name), said)
        stocked = self._stock.get(order.package_name or "")
        if stocked is None:
            raise PackageRefusedError("the order's profile package is not here any more", order_id=order.order_id)
        return stocked


def line_profile(
    vault: SubscriberVault,
    iccid: Iccid,
    imsi: Imsi,
    sealed_keys: bytes,
    *,
    session_record: bytes,
    mnc_digits: int,
    carrier_apps: tuple[CarrierApp, ...],
) -> ProfileParameters:
    """Return the parameters of a line's profile; an empty ``session_record`` leaves EF.SESSIONS empty.

    Raises:
        SubscriberKeysDamagedError: its keys cannot be decrypted.
    """
    keys, packet_keys = vault.open(imsi, sealed_keys), vault.packet_keys(iccid)
    return ProfileParameters(
        iccid=iccid,
        imsi=imsi,
        k=keys.k,
        opc=keys.opc,
        adm_key=keys.adm_key,
        puk_1=keys.puk_1,
        puk_2=keys.puk_2,
        session_record=session_record,
        mnc_digits=mnc_digits,
        kic=packet_keys.kic,
        kid=packet_keys.kid,
        carrier_apps=carrier_apps,
    )


def load_stock(folder: Path) -> dict[str, StockedPackage]:
    """Read every ``*.der`` of a folder, with a ``*.png`` of the same stem as its icon; return them by stem.

    A file that is not a profile package is logged and skipped, so that it does not block the others.

    Raises:
        PackageRefusedError: the folder does not exist, or has too many files.
    """
    if not folder.is_dir():
        raise PackageRefusedError(f"there is no folder {folder}", folder=str(folder))
    paths = sorted(folder.glob("*.der"))
    if len(paths) > MOST_FILES:
        raise PackageRefusedError(f"{folder} holds more than {MOST_FILES} profile packages", files=len(paths))
    stock: dict[str, StockedPackage] = {}
    for path in paths:
        try:
            stock[path.stem] = read_stocked(path)
        except KswifiError as error:
            _log.warning("profile_package_left_out", file=str(path), reason=error.message)
    return stock


def read_stocked(path: Path) -> StockedPackage:
    """Read one profile package file.

    Raises:
        KswifiError: it is not a profile package, or its icon is too long.
    """
    if path.stat().st_size > PACKAGE_MAX_OCTETS:
        raise PackageRefusedError(f"it has more than {PACKAGE_MAX_OCTETS} octets", file=path.name)
    octets = path.read_bytes()
    icon_path = path.with_suffix(".png")
    icon = icon_path.read_bytes() if icon_path.exists() else None
    if icon is not None and len(icon) > MAX_ICON_OCTETS:
        raise PackageRefusedError(f"its icon has more than {MAX_ICON_OCTETS} octets", file=icon_path.name)
    return parse_stocked(path.stem, octets, icon)


def parse_stocked(
    name: str, octets: bytes, icon: bytes | None = None, provider_name: str = _PROVIDER_NAME
) -> StockedPackage:
    """Parse one profile package.

    Raises:
        KswifiError: it is not a profile package.
    """
    package = read_package(octets)
    header = ProfileHeader.decode(package[0].value)
    needs = PackageNeeds(needed_capabilities(header.mandatory_services), len(octets))
    profile_class = ProfileClass.TEST if uses_test_algorithm(package) else ProfileClass.OPERATIONAL
    profile_name = (header.profile_type or name)[:32]
    icon_type = None if icon is None else IconType.PNG
    return StockedPackage(
        name, str(header.iccid), octets, icon, profile_name, needs, profile_class, provider_name, icon_type
    )


def with_metadata(stocked: StockedPackage, said: StockMetadata) -> StockedPackage:
    """Return a package with its operator's metadata."""
    return replace(
        stocked,
        profile_name=said.profile_name or stocked.profile_name,
        icon=said.icon,
        icon_type=said.icon_type,
        owner=said.owner,
        policy_rules=said.policy_rules,
        needs=replace(stocked.needs, policy_rules=said.policy_rules),
    )


def iccid_octets(digits: str) -> bytes:
    """Return the ten octets of EF.ICCID: digits with swapped nibbles (TS 102 221, 13.2)."""
    return swap_nibbles(digits.ljust(20, "F"))
