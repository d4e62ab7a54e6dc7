"""Check the certificate chains of SGP.22 (4.5.2.2), certificate by certificate, with specific errors.

A server passes the current time. A card has no clock and passes None: it relies on revocation only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kswifi.kernel.numbers import Eid
from kswifi.rsp.certificates import (
    Role,
    RspCertificate,
    issuer_key_id,
    open_certificate,
    read_certificate,
    subject_names,
)
from kswifi.rsp.errors import (
    CertificateExpiredError,
    CertificateInvalidError,
    CertificateRevokedError,
    PkiError,
    UnknownCertificateIssuerError,
)

MAX_CRL_OCTETS: Final = 1 << 20
MAX_REMEMBERED: Final = 64

Revoked = frozenset[tuple[bytes, int]]
"""Revoked certificates, each by its issuer's key identifier and its serial number."""


@dataclass(frozen=True, slots=True)
class CardChain:
    """The verified certificates of a card: its own, its manufacturer's and the CI's."""

    euicc: RspCertificate
    eum: RspCertificate
    issuer: RspCertificate
    eid: Eid


class Trust:
    """The trusted CIs and their revoked certificates."""

    def __init__(self, issuers: Iterable[RspCertificate], revoked: Revoked = frozenset()) -> None:
        self._issuers = {issuer.key_id: issuer for issuer in issuers if issuer.role is Role.CI}
        self._revoked = revoked
        self._manufacturers: dict[bytes, RspCertificate] = {}

    @property
    def issuer_key_ids(self) -> tuple[bytes, ...]:
        """Return the key identifiers of the trusted CIs."""
        return tuple(self._issuers)

    def issuer(self, key_id: bytes, *, role: Role) -> RspCertificate:
        """Return the trusted CI with this key identifier.

        Raises:
            UnknownCertificateIssuerError: no trusted CI has it; ``role`` is that of the certificate to verify.
        """
        found = self._issuers.get(key_id)
        if found is None:
            raise UnknownCertificateIssuerError(
                "the chain ends at a CI that is not trusted", role=role.value, key_id=key_id.hex()
            )
        return found

    def check_card(self, euicc_der: bytes, eum_der: bytes, at: datetime | None) -> CardChain:
        """Verify a card's chain of CI, EUM and eUICC, and that its EID is in the EUM's range.

        Raises:
            CertificateRefusedError: the subclass is the reason, and ``role`` the certificate at fault.
        """
        eum, issuer = self._check_manufacturer(eum_der, at)
        euicc = self._read_issued(euicc_der, Role.EUICC, lambda _: eum, at)
        if euicc.eid is None:
            raise CertificateInvalidError("a card's certificate names no EID", role=Role.EUICC.value)
        names = subject_names(euicc)
        if not any(subtree.permits(names, euicc.eid) for subtree in eum.permitted):
            raise CertificateInvalidError(
                "the EID is outside its manufacturer's range", role=Role.EUICC.value, eid=euicc.eid
            )
        return CardChain(euicc, eum, issuer, euicc.eid)

    def _check_manufacturer(self, der: bytes, at: datetime | None) -> tuple[RspCertificate, RspCertificate]:
        """Verify an EUM's certificate. There are few, so results that do not depend on the time are cached."""
        known = self._manufacturers.get(der)
        if known is None:
            eum = self._read_issued(der, Role.EUM, lambda key_id: self.issuer(key_id, role=Role.EUM), at)
            if len(self._manufacturers) < MAX_REMEMBERED:
                self._manufacturers[der] = eum
            return eum, self.issuer(eum.issuer_key_id, role=Role.EUM)
        issuer = self.issuer(known.issuer_key_id, role=Role.EUM)
        if at is not None:
            _check_validity(known.parsed, Role.EUM, at)
            _check_validity(issuer.parsed, issuer.role, at)
        return known, issuer

    def check_server(self, der: bytes, role: Role, at: datetime | None) -> RspCertificate:
        """Verify a server's certificate that a trusted CI issued: DPauth, DPpb or DPtls.

        Raises:
            CertificateRefusedError: the subclass is the reason.
        """
        return self._read_issued(der, role, lambda key_id: self.issuer(key_id, role=role), at)

    def _read_issued(
        self, der: bytes, role: Role, issuer_of: Callable[[bytes], RspCertificate], at: datetime | None
    ) -> RspCertificate:
        """Check a certificate's issuer, signature, revocation and validity, and only then its role (SGP.22, 5.6.3).

        So a certificate of an unknown CI, or an expired one, is refused for that reason, whatever its content.
        """
        opened = open_certificate(der, role)
        key_id = issuer_key_id(opened, role)
        issuer = issuer_of(key_id)
        if key_id != issuer.key_id:
            raise CertificateInvalidError("it names another issuer's key", role=role.value)
        try:
            # Check the names, both algorithm identifiers, and the signature over the octets as received.
            opened.verify_directly_issued_by(issuer.parsed)
        except (InvalidSignature, ValueError, TypeError):
            raise CertificateInvalidError("it is not signed by its issuer", role=role.value) from None
        if (issuer.key_id, opened.serial_number) in self._revoked:
            raise CertificateRevokedError("its issuer has revoked it", role=role.value)
        if at is not None:
            _check_validity(opened, role, at)
            _check_validity(issuer.parsed, issuer.role, at)
        return read_certificate(der, role, opened)


def _check_validity(certificate: x509.Certificate, role: Role, at: datetime) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at > end:
        raise CertificateExpiredError("its validity has ended", role=role.value, until=str(end))
    if at < begin:
        raise CertificateInvalidError("its validity has not begun", role=role.value, since=str(begin))


def read_revocations(crl_der: bytes, issuer: RspCertificate, at: datetime) -> Revoked:
    """Parse and verify a revocation list of this issuer (SGP.22, 4.6.1); partial lists are read one at a time.

    Raises:
        PkiError: it is malformed, not signed by this issuer, or no longer valid.
    """
    if len(crl_der) > MAX_CRL_OCTETS:
        raise PkiError("a revocation list is too long", octets=len(crl_der))
    try:
        crl = x509.load_der_x509_crl(crl_der)
        if not crl.is_signature_valid(issuer.public_key):
            raise PkiError("a revocation list is not signed by this issuer")
        if crl.next_update_utc is None or not crl.last_update_utc <= at <= crl.next_update_utc:
            raise PkiError("a revocation list is not valid now", until=str(crl.next_update_utc))
        return frozenset((issuer.key_id, entry.serial_number) for entry in crl)
    except (ValueError, TypeError) as error:
        raise PkiError(f"a revocation list is malformed: {error}") from None
