"""Add operators' profiles to their stock: parsed, encrypted, and Available only to their operator's orders."""

from sqlalchemy import Connection, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import OperatorRefusedError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileState
from kswifi.esim.operators.operators import STOCK_METADATA_COLUMNS, Operator, seal_package
from kswifi.esim.operators.stock_metadata import StockMetadata
from kswifi.esim.smdp.orders import NewOrder, place_order
from kswifi.esim.smdp.packages import parse_stocked
from kswifi.esim.sql import esim, operator_profile, profile_order
from kswifi.rsp.saip.package import PACKAGE_MAX_OCTETS

PROFILE_TYPE_LENGTH = 64


def stock_profile(
    connection: Connection,
    vault: SubscriberVault,
    owner: Operator,
    profile_type: str,
    package: bytes,
    said: StockMetadata | None = None,
) -> str:
    """Add a profile package to an operator's stock; return its ICCID.

    If the same profile is added again, its metadata (``said``) is replaced, unless it was ordered.

    Raises:
        OperatorRefusedError: its type or metadata is not acceptable, it is too long, its ICCID exists already,
            or its metadata would change under an order.
        KswifiError: it is not a profile package.
    """
    said = (said or StockMetadata()).checked()
    if not (profile_type.isprintable() and 0 < len(profile_type) <= PROFILE_TYPE_LENGTH):
        raise OperatorRefusedError(f"a profile type has 1 to {PROFILE_TYPE_LENGTH} characters")
    if len(package) > PACKAGE_MAX_OCTETS:
        raise OperatorRefusedError(f"a profile package has at most {PACKAGE_MAX_OCTETS} octets")
    iccid = parse_stocked(profile_type, package).iccid
    known = connection.execute(
        select(operator_profile.c.operator_id, operator_profile.c.profile_type, *STOCK_METADATA_COLUMNS).where(
            operator_profile.c.iccid == iccid
        )
    ).one_or_none()
    if known is not None and (known.operator_id, known.profile_type) == (owner.operator_id, profile_type):
        if StockMetadata.from_columns(*known[2:]) != said:
            _change_metadata(connection, iccid, said)
        return iccid
    line = connection.execute(select(esim.c.esim_id).where(esim.c.iccid == iccid)).one_or_none()
    ordered = select(profile_order.c.order_id).where(
        profile_order.c.iccid == iccid, profile_order.c.operator_id.is_not(None)
    )
    if known is not None or line is not None or connection.execute(ordered.limit(1)).one_or_none() is not None:
        raise OperatorRefusedError(f"a profile with the ICCID {iccid} is or was here already", iccid=iccid)
    connection.execute(
        insert(operator_profile).values(
            iccid=iccid,
            operator_id=owner.operator_id,
            profile_type=profile_type,
            sealed_package=seal_package(vault, iccid, package),
            **said.columns(),
            created_at=transaction_instant(connection),
        )
    )
    place_order(
        connection,
        NewOrder(iccid=iccid, package_name=iccid, operator_id=owner.operator_id, profile_type=profile_type),
    )
    return iccid


def _change_metadata(connection: Connection, iccid: str, said: StockMetadata) -> None:
    """Replace the metadata of a stocked profile, unless it was ordered: a card may have shown the old one."""
    ordered = select(profile_order.c.order_id).where(
        profile_order.c.iccid == iccid,
        profile_order.c.operator_id.is_not(None),
        profile_order.c.profile_state != ProfileState.AVAILABLE,
    )
    if connection.execute(ordered.limit(1)).first() is not None:
        raise OperatorRefusedError(f"the profile {iccid} is or was ordered: its metadata stays", iccid=iccid)
    connection.execute(update(operator_profile).where(operator_profile.c.iccid == iccid).values(**said.columns()))
