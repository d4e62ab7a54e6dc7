"""The data of the card's ECASD, set by its manufacturer: certificates, keys and trusted CIs (SGP.22, 2.4.2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from kswifi.euicc.errors import CardCredentialsError
from kswifi.euicc.state import CardState, EuiccIdentity
from kswifi.kernel.numbers import Eid
from kswifi.rsp import signatures
from kswifi.rsp.certificates import Role, RspCertificate, read_certificate
from kswifi.rsp.pki import CardIdentity, KeyedCertificate, Pki
from kswifi.rsp.pki_making import make_card
from kswifi.rsp.trust import Trust

_ORGANIZATION: Final = NameOID.ORGANIZATION_NAME.dotted_string
_CERTIFICATES_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class CardCredentials:
    """A card's identities, one for each CI under which it can sign, and the CIs whose servers it trusts."""

    eid: Eid
    identities: tuple[CardIdentity, ...]
    issuers: tuple[RspCertificate, ...]


def credentials_of_pki(pki: Pki) -> CardCredentials:
    """Return the credentials of the only card in a PKI.

    Raises:
        CardCredentialsError: the PKI has no card, or several.
    """
    identities = pki.card_identities()
    eids = {identity.euicc.certificate.eid for identity in identities}
    if len(eids) != 1:
        raise CardCredentialsError("the PKI holds the certificates of no card, or of several", cards=len(eids))
    (eid,) = eids
    if eid is None:  # cannot happen: card_identities returns only cards, whose certificates have an EID
        raise CardCredentialsError("the card's certificate names no EID")
    return CardCredentials(eid, identities, _issuers(pki))


def make_credentials(pki: Pki, eid: Eid, at: datetime) -> CardCredentials:
    """Issue certificates for a new card with the manufacturers' keys of a PKI.

    Raises:
        CardCredentialsError: the PKI has no manufacturer's key, or the EID is outside their ranges.
    """
    identities = tuple(
        CardIdentity(eum.certificate.issuer_key_id, made, eum.certificate)
        for eum in pki.of_role(Role.EUM)
        if eum.private_key is not None and (made := _certify(eum, eid, at)) is not None
    )
    if not identities:
        raise CardCredentialsError("no manufacturer of the PKI can certify a card with this EID", eid=eid)
    return CardCredentials(eid, identities, _issuers(pki))


def _certify(eum: KeyedCertificate, eid: Eid, at: datetime) -> KeyedCertificate | None:
    for subtree in eum.certificate.permitted:
        if eid.startswith(subtree.eid_prefix):
            return make_card(eum, organization=dict(subtree.equal).get(_ORGANIZATION, ""), eid=eid, at=at)
    return None


def _issuers(pki: Pki) -> tuple[RspCertificate, ...]:
    return tuple(each.certificate for each in pki.of_role(Role.CI))


def stored_identities(identities: Iterable[CardIdentity]) -> list[EuiccIdentity]:
    """Return identities in the form in which the card stores them."""
    return [
        EuiccIdentity(
            issuer_key_id=identity.issuer_key_id,
            certificate=identity.euicc.certificate.raw,
            eum_certificate=identity.eum.raw,
            private_key=key_octets(identity.euicc.key),
        )
        for identity in identities
    ]


def identity_of(state: CardState, issuer_key_id: bytes) -> EuiccIdentity | None:
    """Return the card's identity under a CI, or None."""
    return next((each for each in state.identities if each.issuer_key_id == issuer_key_id), None)


def sign(identity: EuiccIdentity, octets: bytes) -> bytes:
    """Return the card's signature (SK.EUICC.ECDSA) over octets."""
    return signatures.sign(read_key(identity.private_key), octets)


def trust_of(state: CardState) -> Trust:
    """Return trust in the card's CIs. A card has no clock and no revocation list."""
    return Trust(_read_issuer(der) for der in state.issuers)


@lru_cache(_CERTIFICATES_KEPT)
def _read_issuer(der: bytes) -> RspCertificate:
    return read_certificate(der, Role.CI)


def key_octets(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as the card stores it: PKCS #8 without a password."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def read_key(octets: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a private key that `key_octets` encoded."""
    key = load_der_private_key(octets, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CardCredentialsError("the card's key is on no elliptic curve")
    return key
