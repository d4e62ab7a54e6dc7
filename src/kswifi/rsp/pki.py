"""The certificates and keys of an installation. The caller reads and writes the files.

The files have the layout of the GSMA test certificates (SGP.26): a folder for each role, and ``CERT_`` and
``SK_`` files whose names end with the curve. So an installation can use the GSMA's files in place of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from kswifi.rsp.certificates import Role, RspCertificate, read_certificate
from kswifi.rsp.curves import Curve, point_octets
from kswifi.rsp.errors import CertificateInvalidError, PkiError
from kswifi.rsp.trust import Revoked, Trust

MAX_PKI_FILES: Final = 512


@dataclass(frozen=True, slots=True)
class KeyedCertificate:
    """A certificate, and its private key if available."""

    certificate: RspCertificate
    private_key: ec.EllipticCurvePrivateKey | None = field(repr=False)

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """Return the private key.

        Raises:
            PkiError: the PKI has only the certificate.
        """
        if self.private_key is None:
            raise PkiError("the private key of a certificate is missing", role=self.certificate.role.value)
        return self.private_key


@dataclass(frozen=True, slots=True)
class SmdpIdentity:
    """One SM-DP+ under one CI: its DPauth and DPpb certificates, with the same object identifier."""

    issuer_key_id: bytes
    oid: str
    auth: KeyedCertificate
    pb: KeyedCertificate


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """One card under one CI: its certificate with its key, and its manufacturer's certificate."""

    issuer_key_id: bytes
    euicc: KeyedCertificate
    eum: RspCertificate


@dataclass(frozen=True, slots=True)
class Pki:
    """All certificates and keys of a folder."""

    certificates: tuple[KeyedCertificate, ...]

    def of_role(self, role: Role) -> tuple[KeyedCertificate, ...]:
        """Return the certificates of a role, in the order of their file names."""
        return tuple(each for each in self.certificates if each.certificate.role is role)

    def trust(self, revoked: Revoked = frozenset()) -> Trust:
        """Return trust in the CIs of this PKI."""
        return Trust((each.certificate for each in self.of_role(Role.CI)), revoked)

    def smdp_identities(self) -> tuple[SmdpIdentity, ...]:
        """Return the identities of the SM-DP+: one for each CI, all with the same OID.

        If the folder has several servers (SGP.26 has), the one with the lowest OID is used.

        Raises:
            PkiError: there is no pair of DPauth and DPpb certificates with keys.
        """
        pairs = [
            SmdpIdentity(auth.certificate.issuer_key_id, auth.certificate.oid, auth, pb)
            for auth in self.of_role(Role.DP_AUTH)
            for pb in self.of_role(Role.DP_PB)
            if auth.certificate.oid is not None and auth.private_key is not None
            if pb.private_key is not None and _same_server(auth.certificate, pb.certificate)
        ]
        if not pairs:
            raise PkiError("no DPauth and DPpb certificates with keys belong together")
        lowest = min((pair.oid for pair in pairs), key=_oid_order)
        chosen = {pair.issuer_key_id: pair for pair in pairs if pair.oid == lowest}
        return tuple(chosen.values())

    def card_identities(self) -> tuple[CardIdentity, ...]:
        """Return the cards whose keys the PKI has, each with its manufacturer."""
        manufacturers = {each.certificate.key_id: each.certificate for each in self.of_role(Role.EUM)}
        return tuple(
            CardIdentity(eum.issuer_key_id, card, eum)
            for card in self.of_role(Role.EUICC)
            if card.private_key is not None
            and (eum := manufacturers.get(card.certificate.issuer_key_id)) is not None
        )

    def tls_for(self, host: str) -> KeyedCertificate | None:
        """Return the DPtls certificate with a key for this host; if there are two, the one on NIST P-256.

        Few TLS clients support brainpool curves.
        """
        fitting = [
            each
            for each in self.of_role(Role.DP_TLS)
            if each.private_key is not None
            and host.lower() in {name.lower() for name in each.certificate.dns_names}
        ]
        return min(fitting, key=lambda each: each.certificate.curve is not Curve.NIST_P256, default=None)


def load_pki(files: Mapping[str, bytes]) -> Pki:
    """Load a PKI from the content of its files, by name. Files without certificate or private key are ignored.

    A key belongs to the certificate with its public key, regardless of the files' names.

    Raises:
        PkiError: a certificate or key is malformed (``file`` is its name), or there are too many.
    """
    if len(files) > MAX_PKI_FILES:
        raise PkiError("there are too many files", files=len(files))
    certificates: dict[bytes, RspCertificate] = {}
    keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
    for name in sorted(files):
        for certificate in _certificates_in(name, files[name]):
            certificates.setdefault(certificate.raw, certificate)
        if b"PRIVATE KEY-----" in files[name]:
            key = _private_key_in(name, files[name])
            keys[point_octets(key)] = key
    return Pki(
        tuple(KeyedCertificate(each, keys.get(point_octets(each.public_key))) for each in certificates.values())
    )


def _certificates_in(name: str, content: bytes) -> Iterable[RspCertificate]:
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return [
                read_certificate(each.public_bytes(Encoding.DER))
                for each in x509.load_pem_x509_certificates(content)
            ]
        if name.lower().endswith((".der", ".cer", ".crt")):
            return [read_certificate(content)]
    except (CertificateInvalidError, ValueError) as error:
        raise PkiError(f"{name} is no certificate of SGP.22: {error}", file=name) from None
    return []


def _private_key_in(name: str, content: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PkiError(f"{name} is no private key without a password", file=name) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{name} is no key on an elliptic curve", file=name)
    return key


def _same_server(auth: RspCertificate, pb: RspCertificate) -> bool:
    """Tell whether both certificates belong to one server: same OID, same CI (SGP.22, 5.7.5)."""
    return auth.oid == pb.oid and auth.issuer_key_id == pb.issuer_key_id


def _oid_order(oid: str) -> tuple[int, ...]:
    return tuple(int(arc) for arc in oid.split("."))
