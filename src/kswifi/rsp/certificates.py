"""Parse the certificates of SGP.22 (4.5.2) without trusting them; ``trust.py`` checks trust.

``trust.py`` checks each certificate of a chain itself. General path validators refuse properties that these
certificates have by specification: nine-octet serial numbers, the year 7496, and their name constraints.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Eid
from kswifi.rsp import tlv
from kswifi.rsp.curves import Curve, curve_of
from kswifi.rsp.errors import CertificateInvalidError, RspDecodeError
from kswifi.rsp.fields import INTEGER, SEQUENCE, Fields

MAX_CERTIFICATE_OCTETS: Final = 4096
_MAX_SUBTREES: Final = 64
_BIT_STRING: Final = 0x03


class Role(Enum):
    """The role of a certificate's owner: the last arc of id-rspRole in its policy (SGP.22, annex H)."""

    CI = "ci"
    EUICC = "euicc"
    EUM = "eum"
    DP_TLS = "dp_tls"
    DP_AUTH = "dp_auth"
    DP_PB = "dp_pb"
    DS_TLS = "ds_tls"
    DS_AUTH = "ds_auth"

    @property
    def policy_oid(self) -> str:
        """Return the certificate policy of this role."""
        return f"{_ROLE_ARC}.{list(Role).index(self)}"

    @property
    def issues_certificates(self) -> bool:
        """Tell whether certificates of this role issue other certificates."""
        return self in (Role.CI, Role.EUM)


_ROLE_ARC: Final = "2.23.146.1.2.1"
_ROLES: Final = {role.policy_oid: role for role in Role}

# Errors of the library for octets that are not a certificate, or not a supported one.
_UNREADABLE: Final = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PermittedNames:
    """One permitted subtree of an EUM: attributes that must be equal, and the required prefix of the EID."""

    equal: tuple[tuple[str, str], ...]
    eid_prefix: str

    def permits(self, names: frozenset[tuple[str, str]], eid: str) -> bool:
        """Tell whether a card's subject is inside the subtree (SGP.22, 4.5.2.1.0.2)."""
        return names.issuperset(self.equal) and eid.startswith(self.eid_prefix)


@dataclass(frozen=True, slots=True)
class RspCertificate:
    """A parsed certificate. ``raw`` is the DER as received; ``key_id`` its SubjectKeyIdentifier.

    ``issuer_key_id`` (AuthorityKeyIdentifier) names its issuer; ``oid`` is the registered id of the entity.
    ``eid`` is set only for a card's certificate, ``permitted`` only for an EUM's.
    """

    raw: bytes = field(repr=False)
    parsed: x509.Certificate = field(repr=False)
    role: Role
    curve: Curve
    public_key: ec.EllipticCurvePublicKey = field(repr=False)
    key_id: bytes
    issuer_key_id: bytes
    serial_number: int
    not_before: datetime
    not_after: datetime
    oid: str | None
    dns_names: tuple[str, ...]
    eid: Eid | None
    permitted: tuple[PermittedNames, ...]


def open_certificate(der: bytes, expected: Role | None = None) -> x509.Certificate:
    """Parse a certificate without checking its content, since its issuer and validity are checked before its role.

    Raises:
        CertificateInvalidError: it is malformed; the error names the role ``expected``.
    """
    named = "unknown" if expected is None else expected.value
    if len(der) > MAX_CERTIFICATE_OCTETS:
        raise CertificateInvalidError("a certificate is too long", role=named, octets=len(der))
    with _refusals(named):
        _check_form(der)
        return x509.load_der_x509_certificate(der)


def issuer_key_id(certificate: x509.Certificate, role: Role) -> bytes:
    """Return the AuthorityKeyIdentifier of a certificate that is not self-signed.

    Raises:
        CertificateInvalidError: it has none.
    """
    with _refusals(role.value):
        return _issuer_key_id(certificate.extensions, role, b"")


def read_certificate(
    der: bytes, expected: Role | None = None, opened: x509.Certificate | None = None
) -> RspCertificate:
    """Parse a certificate and check that its content is valid for its role.

    ``opened`` is the result of ``open_certificate`` for it; None to parse it here.

    Raises:
        CertificateInvalidError: it is malformed, lacks what its role requires, or has another role than expected.
    """
    certificate = open_certificate(der, expected) if opened is None else opened
    with _refusals("unknown" if expected is None else expected.value):
        return _read(der, certificate, expected)


@contextmanager
def _refusals(named: str) -> Iterator[None]:
    """Convert all errors that a malformed certificate causes into CertificateInvalidError."""
    try:
        yield
    except CertificateInvalidError:
        raise
    except KswifiError as error:
        raise CertificateInvalidError(error.message, role=named) from None
    except x509.ExtensionNotFound as error:
        raise CertificateInvalidError(f"a certificate lacks an extension: {error}", role=named) from None
    except _UNREADABLE as error:
        raise CertificateInvalidError(f"a certificate is malformed: {error}", role=named) from None


def _check_form(der: bytes) -> None:
    """Refuse what the library accepts: unused bits in the signature, and negative serial numbers.

    Unused bits are not covered by the signature, so an attacker could change them.
    """
    to_be_signed, _, signature = tlv.walk(tlv.only(der, SEQUENCE).value)
    if signature.tag != _BIT_STRING or signature.value[:1] != b"\x00":
        raise RspDecodeError("its signature has spare bits")
    serial_number = Fields(to_be_signed.value, "certificate").octets(INTEGER, 1)
    if serial_number[0] & 0x80:
        raise RspDecodeError("its serial number is negative")


def _read(der: bytes, certificate: x509.Certificate, expected: Role | None) -> RspCertificate:
    extensions = certificate.extensions
    role = _role_of(extensions, expected)
    _check_content(certificate, extensions, role)
    public_key = certificate.public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise CertificateInvalidError("its key is on no elliptic curve", role=role.value)
    key_id = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return RspCertificate(
        raw=der,
        parsed=certificate,
        role=role,
        curve=curve_of(public_key),
        public_key=public_key,
        key_id=key_id,
        issuer_key_id=_issuer_key_id(extensions, role, key_id),
        serial_number=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        oid=next(_alternative_names(extensions, x509.RegisteredID), None),
        dns_names=tuple(_alternative_names(extensions, x509.DNSName)),
        eid=_eid_of(certificate) if role is Role.EUICC else None,
        permitted=_permitted_by(extensions) if role is Role.EUM else (),
    )


def _role_of(extensions: x509.Extensions, expected: Role | None) -> Role:
    policies = extensions.get_extension_for_class(x509.CertificatePolicies).value
    roles = [_ROLES[oid] for policy in policies if (oid := policy.policy_identifier.dotted_string) in _ROLES]
    if len(roles) != 1:
        raise RspDecodeError("its policies name no role, or several", roles=len(roles))
    if expected is not None and roles[0] is not expected:
        raise RspDecodeError(f"it is a certificate of {roles[0].value}, not of {expected.value}")
    return roles[0]


def _check_content(certificate: x509.Certificate, extensions: x509.Extensions, role: Role) -> None:
    """Check the algorithm, the key usage and the basic constraints for the role (SGP.22, 4.5.2.1)."""
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise RspDecodeError("it is not signed by ECDSA with SHA-256")
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if not (usage.key_cert_sign if role.issues_certificates else usage.digital_signature):
        raise RspDecodeError(f"its key usage does not suit a certificate of {role.value}")
    try:
        authority = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if authority is not role.issues_certificates:
        raise RspDecodeError(f"its basic constraints do not suit a certificate of {role.value}")


def _issuer_key_id(extensions: x509.Extensions, role: Role, own: bytes) -> bytes:
    """Return the AuthorityKeyIdentifier; a self-signed CI may omit it (RFC 5280, 4.2.1.1)."""
    try:
        key_id = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        if role is not Role.CI:
            raise
        key_id = own
    if key_id is None:
        raise RspDecodeError("it does not name its issuer's key")
    return key_id


def _alternative_names(
    extensions: x509.Extensions, kind: type[x509.RegisteredID] | type[x509.DNSName]
) -> Iterator[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        if isinstance(name, kind):
            yield name.value if isinstance(name, x509.DNSName) else name.value.dotted_string


def _eid_of(certificate: x509.Certificate) -> Eid:
    """Return the EID, which is the serialNumber attribute of a card's subject (SGP.22, 4.5.2.1.0.1)."""
    numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if len(numbers) != 1:
        raise RspDecodeError("the subject of a card names one EID", eids=len(numbers))
    return Eid.as_read(str(numbers[0].value))


def _permitted_by(extensions: x509.Extensions) -> tuple[PermittedNames, ...]:
    constraints = extensions.get_extension_for_class(x509.NameConstraints).value
    subtrees = constraints.permitted_subtrees or []
    if not 0 < len(subtrees) <= _MAX_SUBTREES or constraints.excluded_subtrees:
        raise RspDecodeError("an EUM permits a few subtrees and excludes none", subtrees=len(subtrees))
    return tuple(_permitted_names(subtree) for subtree in subtrees)


def _permitted_names(subtree: x509.GeneralName) -> PermittedNames:
    if not isinstance(subtree, x509.DirectoryName):
        raise RspDecodeError("an EUM constrains directory names only")
    prefixes = subtree.value.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    prefix = str(prefixes[0].value) if len(prefixes) == 1 else ""
    if re.fullmatch(r"[0-9A-Fa-f]{1,32}", prefix) is None:
        raise RspDecodeError("a permitted subtree names the first digits of the EIDs")
    return PermittedNames(
        tuple((oid, text) for oid, text in _names(subtree.value) if oid != NameOID.SERIAL_NUMBER.dotted_string),
        prefix.upper(),
    )


def subject_names(certificate: RspCertificate) -> frozenset[tuple[str, str]]:
    """Return the attributes of the subject as pairs of object identifier and text."""
    return frozenset(_names(certificate.parsed.subject))


def _names(name: x509.Name) -> Iterator[tuple[str, str]]:
    return ((attribute.oid.dotted_string, str(attribute.value)) for attribute in name)
