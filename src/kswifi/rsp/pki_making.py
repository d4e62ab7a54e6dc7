"""Make certificates: a CI for this installation and all certificates below it (SGP.22, 4.5.2).

No commercial phone trusts this CI; only cards that were made with it do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kswifi.kernel.clock import require_aware
from kswifi.kernel.numbers import Eid
from kswifi.rsp.certificates import Role, read_certificate
from kswifi.rsp.curves import Curve, new_key
from kswifi.rsp.pki import KeyedCertificate

ISSUER_YEARS: Final = 35
SERVER_YEARS: Final = 10
TLS_DAYS: Final = 397
_NEVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280, 4.1.2.5
_SKEW: Final = timedelta(hours=1)  # so that clients whose clocks are slightly slow accept a new certificate


@dataclass(frozen=True, slots=True)
class PkiPlan:
    """The names and identifiers for which a PKI is made."""

    organization: str
    smdp_address: str
    eid_prefix: str
    issuer_oid: str = "2.999.1"
    eum_oid: str = "2.999.5"
    smdp_oid: str = "2.999.10"
    curves: tuple[Curve, ...] = tuple(Curve)


@dataclass(frozen=True, slots=True)
class _Profile:
    """The properties that distinguish the certificates of one role."""

    role: Role
    names: tuple[tuple[x509.ObjectIdentifier, str], ...]
    not_after: datetime
    alternatives: tuple[x509.GeneralName, ...] = ()
    extras: tuple[tuple[x509.ExtensionType, bool], ...] = ()


def make_issuer(curve: Curve, *, organization: str, oid: str, at: datetime) -> KeyedCertificate:
    """Make a self-signed CI."""
    names = ((NameOID.COMMON_NAME, f"{organization} CI"), (NameOID.ORGANIZATION_NAME, organization))
    extras: tuple[tuple[x509.ExtensionType, bool], ...] = ((x509.BasicConstraints(True, None), True),)
    until = at + timedelta(days=365 * ISSUER_YEARS)
    return _issue(_Profile(Role.CI, names, until, (_registered(oid),), extras), None, curve, at)


def make_manufacturer(
    issuer: KeyedCertificate, *, organization: str, eid_prefix: str, oid: str, at: datetime
) -> KeyedCertificate:
    """Make an EUM certificate that permits cards with this organization and this EID prefix."""
    subtree = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, eid_prefix),
        ]
    )
    constraints = x509.NameConstraints([x509.DirectoryName(subtree)], None)
    names = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"{organization} EUM"))
    extras: tuple[tuple[x509.ExtensionType, bool], ...] = (
        (x509.BasicConstraints(True, 0), True),
        (constraints, True),
    )
    profile = _Profile(Role.EUM, names, issuer.certificate.not_after, (_registered(oid),), extras)
    return _issue(profile, issuer, issuer.certificate.curve, at)


def make_card(eum: KeyedCertificate, *, organization: str, eid: Eid, at: datetime) -> KeyedCertificate:
    """Make a card's certificate, which never expires because a card has no clock."""
    names = (
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.SERIAL_NUMBER, str(eid)),
        (NameOID.COMMON_NAME, "eUICC"),
    )
    return _issue(_Profile(Role.EUICC, names, _NEVER), eum, eum.certificate.curve, at)


def make_server(
    issuer: KeyedCertificate, role: Role, *, organization: str, oid: str, at: datetime
) -> KeyedCertificate:
    """Make a DPauth or a DPpb certificate."""
    names = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"{organization} SM-DP+"))
    until = at + timedelta(days=365 * SERVER_YEARS)
    profile = _Profile(role, names, until, (_registered(oid),))
    return _issue(profile, issuer, issuer.certificate.curve, at)


def make_tls_server(
    issuer: KeyedCertificate, *, organization: str, host: str, oid: str, at: datetime
) -> KeyedCertificate:
    """Make a DPtls certificate for a host, valid for 397 days: TLS clients refuse longer periods."""
    names = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, host))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    profile = _Profile(
        Role.DP_TLS,
        names,
        at + timedelta(days=TLS_DAYS),
        (x509.DNSName(host), _registered(oid)),
        ((usage, True),),
    )
    return _issue(profile, issuer, issuer.certificate.curve, at)


def make_pki(plan: PkiPlan, eid: Eid, at: datetime) -> dict[str, bytes]:
    """Make a complete PKI; return the files' content by name, as input for ``pki.load_pki``.

    Files whose names begin with ``SK_`` contain private keys: the caller must make them readable by the owner
    only.
    """
    files: dict[str, bytes] = {}
    for curve in plan.curves:
        for name, made in _chain(plan, curve, eid, require_aware(at)):
            folder, _, stem = name.partition("/")
            files[f"{folder}/CERT_{stem}_{curve.value}.der"] = made.certificate.raw
            files[f"{folder}/SK_{stem}_{curve.value}.pem"] = private_key_pem(made.key)
    return files


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM without a password: only the file's permissions protect it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _chain(plan: PkiPlan, curve: Curve, eid: Eid, at: datetime) -> Iterator[tuple[str, KeyedCertificate]]:
    name, oid = plan.organization, plan.smdp_oid
    issuer = make_issuer(curve, organization=name, oid=plan.issuer_oid, at=at)
    yield "CertificateIssuer/CI_ECDSA", issuer
    eum = make_manufacturer(issuer, organization=name, eid_prefix=plan.eid_prefix, oid=plan.eum_oid, at=at)
    yield "EUM/EUM_ECDSA", eum
    yield "eUICC/EUICC_ECDSA", make_card(eum, organization=name, eid=eid, at=at)
    for folder, role in (("DPauth", Role.DP_AUTH), ("DPpb", Role.DP_PB)):
        made = make_server(issuer, role, organization=name, oid=oid, at=at)
        yield f"{folder}/S_SM_{folder}_ECDSA", made
    tls = make_tls_server(issuer, organization=name, host=plan.smdp_address, oid=oid, at=at)
    yield "DPtls/S_SM_DP_TLS", tls


def _registered(oid: str) -> x509.RegisteredID:
    return x509.RegisteredID(x509.ObjectIdentifier(oid))


def _issue(profile: _Profile, issuer: KeyedCertificate | None, curve: Curve, at: datetime) -> KeyedCertificate:
    """Issue a certificate; without an issuer it is self-signed."""
    key = new_key(curve)
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in profile.names])
    signer = key if issuer is None else issuer.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.parsed.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before((at - _SKEW).replace(microsecond=0))
        .not_valid_after(profile.not_after.replace(microsecond=0))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_key_usage(profile.role), critical=True)
        .add_extension(_policy(profile.role), critical=True)
    )
    if issuer is not None:
        identifier = x509.SubjectKeyIdentifier(issuer.certificate.key_id)
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = builder.add_extension(authority, critical=False)
    if profile.alternatives:
        names = x509.SubjectAlternativeName(profile.alternatives)
        builder = builder.add_extension(names, critical=False)
    for extension, critical in profile.extras:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(signer, SHA256())
    return KeyedCertificate(read_certificate(signed.public_bytes(Encoding.DER), profile.role), key)


def _policy(role: Role) -> x509.CertificatePolicies:
    identifier = x509.ObjectIdentifier(role.policy_oid)
    return x509.CertificatePolicies([x509.PolicyInformation(identifier, None)])


def _key_usage(role: Role) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not role.issues_certificates,
        key_cert_sign=role.issues_certificates,
        crl_sign=role is Role.CI,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
