"""Operators that order profiles here over ES2+: registration, TLS certificates, and their stocked profiles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, delete, func, insert, select, update

from kswifi.database.engine import transaction_instant
from kswifi.esim.errors import OperatorRefusedError, PackageRefusedError, UnknownOperatorError
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileState
from kswifi.esim.operators.stock_metadata import StockMetadata
from kswifi.esim.sql import operator, operator_certificate, operator_profile, profile_order
from kswifi.kernel.ids import uuid7
from kswifi.rsp.status_codes import RspRefusedError, Status

CERTIFICATE_OCTETS_LIMIT: Final = 16 * 1024
MOST_CERTIFICATES: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}")


@dataclass(frozen=True, slots=True)
class Operator:
    """A registered operator."""

    operator_id: str
    name: str
    callback_url: str | None
    callback_ca: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OperatorSummary:
    """An operator for a list: its certificates (SHA-256, end of validity), and its profiles counted by state."""

    operator: Operator
    certificates: tuple[tuple[str, datetime], ...]
    profiles: dict[str, int]


_COLUMNS = (
    operator.c.operator_id,
    operator.c.name,
    operator.c.callback_url,
    operator.c.callback_ca,
    operator.c.created_at,
)
STOCK_METADATA_COLUMNS: Final = tuple(operator_profile.c[each.name] for each in fields(StockMetadata))
_SELECT = select(*_COLUMNS).where(operator.c.removed_at.is_(None))


def read_certificates(pem_or_der: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a file.

    Raises:
        OperatorRefusedError: the file contains no certificate.
    """
    if len(pem_or_der) > CERTIFICATE_OCTETS_LIMIT:
        raise OperatorRefusedError("the file is too long for a certificate")
    try:
        if b"-----BEGIN CERTIFICATE-----" in pem_or_der:
            return tuple(x509.load_pem_x509_certificates(pem_or_der))
        return (x509.load_der_x509_certificate(pem_or_der),)
    except ValueError:
        raise OperatorRefusedError("the file holds no certificate") from None


def add_operator(
    connection: Connection,
    name: str,
    certificate: x509.Certificate,
    *,
    callback_url: str | None = None,
    callback_ca: str | None = None,
) -> Operator:
    """Register an operator, or add a certificate to a registered one; set the callback if one is given.

    ``certificate`` is the operator's own TLS client certificate, not its issuer's. Only this certificate is
    recognised, so no other certificate of the same issuer gains access.

    Raises:
        OperatorRefusedError: the name or callback is not acceptable, or the certificate has expired or belongs to
            another operator.
    """
    now = transaction_instant(connection)
    if not _NAME.fullmatch(name):
        raise OperatorRefusedError("a name has 1 to 32 letters, digits, spaces and . _ -", name=name[:64])
    if callback_url is not None:
        _check_url(callback_url)
    if certificate.not_valid_after_utc <= now:
        raise OperatorRefusedError("the certificate's time is over", not_after=str(certificate.not_valid_after_utc))
    raw = certificate.public_bytes(Encoding.DER)
    digest = sha256(raw).digest()
    known = connection.execute(
        select(*_COLUMNS, operator.c.removed_at).where(operator.c.name == name)
    ).one_or_none()
    changes = {"callback_url": callback_url, "callback_ca": callback_ca}
    if known is None:
        operator_id = str(uuid7(now))
        values = {"operator_id": operator_id, "name": name, "created_at": now, **changes}
        connection.execute(insert(operator).values(values))
    else:
        operator_id = known.operator_id
        given = {key: value for key, value in changes.items() if value is not None}
        wanted = update(operator).where(operator.c.operator_id == operator_id)
        connection.execute(wanted.values(removed_at=None, **given))
    holder = connection.execute(
        select(operator_certificate.c.operator_id).where(operator_certificate.c.digest == digest)
    ).scalar_one_or_none()
    if holder not in (None, operator_id):
        raise OperatorRefusedError("the certificate is another party's already")
    if holder is None:
        connection.execute(
            insert(operator_certificate).values(
                digest=digest, operator_id=operator_id, certificate=raw, not_after=certificate.not_valid_after_utc
            )
        )
    return find_operator(connection, name)


def find_operator(connection: Connection, name: str) -> Operator:
    """Return an operator by its name.

    Raises:
        UnknownOperatorError: no operator has this name.
    """
    row = connection.execute(_SELECT.where(operator.c.name == name)).one_or_none()
    if row is None:
        raise UnknownOperatorError(f"no operator is called {name[:64]!r}", name=name[:64])
    return Operator(row[0], row[1], row[2], row[3], row[4])


def operator_by_id(connection: Connection, operator_id: str) -> Operator | None:
    """Return an operator by its id; None if it was removed."""
    row = connection.execute(_SELECT.where(operator.c.operator_id == operator_id)).one_or_none()
    return None if row is None else Operator(row[0], row[1], row[2], row[3], row[4])


def requester(connection: Connection, certificate: bytes | None) -> Operator:
    """Return the operator to which a TLS client certificate belongs.

    Raises:
        RspRefusedError: no operator has this certificate, or it has expired.
    """
    if certificate is None:
        raise RspRefusedError(Status.REQUESTER_UNKNOWN, "a client certificate is needed")
    known = operator_certificate.c
    row = connection.execute(
        _SELECT.join(operator_certificate, known.operator_id == operator.c.operator_id).where(
            known.digest == sha256(certificate).digest(),
            known.not_after > transaction_instant(connection),
        )
    ).one_or_none()
    if row is None:
        raise RspRefusedError(Status.REQUESTER_UNKNOWN)
    return Operator(row[0], row[1], row[2], row[3], row[4])


def list_operators(connection: Connection) -> list[OperatorSummary]:
    """Return all registered operators, by name."""
    found = []
    for row in connection.execute(_SELECT.order_by(operator.c.name)).all():
        party = Operator(row[0], row[1], row[2], row[3], row[4])
        certificates = connection.execute(
            select(operator_certificate.c.digest, operator_certificate.c.not_after)
            .where(operator_certificate.c.operator_id == party.operator_id)
            .order_by(operator_certificate.c.not_after)
        ).all()
        states = connection.execute(
            select(profile_order.c.profile_state, func.count())
            .where(profile_order.c.operator_id == party.operator_id)
            .group_by(profile_order.c.profile_state)
            .order_by(profile_order.c.profile_state)
        ).all()
        found.append(
            OperatorSummary(
                party,
                tuple((digest.hex(), end) for digest, end in certificates),
                {row[0]: row[1] for row in states},
            )
        )
    return found


def remove_operator(connection: Connection, name: str) -> None:
    """Remove an operator: its certificates are refused from now on. Profiles on order are still delivered.

    Its stocked profiles without an order are deleted, with their keys.

    Raises:
        UnknownOperatorError: no operator has this name.
    """
    party = find_operator(connection, name)
    mine = party.operator_id
    connection.execute(delete(operator_certificate).where(operator_certificate.c.operator_id == mine))
    unordered = (
        profile_order.c.operator_id == mine,
        profile_order.c.profile_state == ProfileState.AVAILABLE,
    )
    iccids = connection.execute(select(profile_order.c.iccid).where(*unordered)).scalars().all()
    connection.execute(delete(profile_order).where(*unordered))
    for iccid in iccids:
        connection.execute(delete(operator_profile).where(operator_profile.c.iccid == iccid))
    connection.execute(
        update(operator)
        .where(operator.c.operator_id == mine)
        .values(removed_at=transaction_instant(connection), callback_url=None)
    )


def trusted_certificates(connection: Connection) -> Sequence[bytes]:
    """Return all operators' certificates for the TLS server, at most ``MOST_CERTIFICATES``."""
    wanted = select(operator_certificate.c.certificate).where(
        operator_certificate.c.not_after > transaction_instant(connection)
    )
    return connection.execute(wanted.limit(MOST_CERTIFICATES)).scalars().all()


def open_stocked_package(
    connection: Connection, vault: SubscriberVault, iccid: str
) -> tuple[bytes, str, StockMetadata]:
    """Return the package of an operator's profile, the operator's name and the profile's metadata.

    Raises:
        PackageRefusedError: the profile was removed.
        SubscriberKeysDamagedError: the package cannot be decrypted.
    """
    row = connection.execute(
        select(operator_profile.c.sealed_package, operator.c.name, *STOCK_METADATA_COLUMNS)
        .join(operator, operator.c.operator_id == operator_profile.c.operator_id)
        .where(operator_profile.c.iccid == iccid)
    ).one_or_none()
    if row is None:
        raise PackageRefusedError("the operator's profile is not here any more", iccid=iccid)
    octets = vault.open_octets(_owner(iccid), row.sealed_package)
    return octets, row.name, StockMetadata.from_columns(*row[2:])


def seal_package(vault: SubscriberVault, iccid: str, octets: bytes) -> bytes:
    """Return a package encrypted as it is stored in ``operator_profile``."""
    return vault.seal_octets(_owner(iccid), octets)


def _owner(iccid: str) -> bytes:
    return f"operator profile {iccid}".encode()


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    plain = (
        parts.scheme == "https" and parts.hostname and not parts.username and not parts.query and not parts.fragment
    )
    if not plain or len(url) > 400:
        raise OperatorRefusedError(
            "a callback is https://host[:port][/path], at most 400 characters", url=url[:100]
        )
