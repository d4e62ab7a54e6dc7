"""The ES9+ functions of an SM-DP+, as pure functions (SGP.22, 5.6).

Mutual authentication takes two steps. initiateAuthentication signs the card's challenge and the server's own
one; the card verifies this and signs its answer (authenticateClient). The server then signs smdpSigned2,
which includes the card's first signature; the card verifies this and signs its one-time key
(getBoundProfilePackage). The caller handles orders, time-outs and retries, and passes in random values, keys
and the time, so that tests can reproduce every answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.rsp import signatures
from kswifi.rsp.errors import CertificateRefusedError, SignatureRefusedError
from kswifi.rsp.fields import Version
from kswifi.rsp.messages.authentication import (
    AuthenticateResponseOk,
    EuiccSigned1,
    ServerSigned1,
)
from kswifi.rsp.messages.download import (
    CancelSessionError,
    EuiccSigned2,
    PrepareDownloadError,
    SmdpSigned2,
    decode_cancel_session_response,
    decode_prepare_download_response,
    euicc_signed2_octets,
    smdp_signed2_octets,
)
from kswifi.rsp.messages.euicc_info import EuiccInfo1
from kswifi.rsp.messages.notifications import InstallResult, InstallResultData, OtherSignedNotification
from kswifi.rsp.pki import SmdpIdentity
from kswifi.rsp.status_codes import RspRefusedError, Status, status_of_certificate
from kswifi.rsp.trust import CardChain, Trust

LOWEST_SVN: Final[Version] = (2, 0, 0)
HIGHEST_SVN: Final[Version] = (2, 255, 255)


class Begun(Protocol):
    """The data of a begun transaction that are needed to verify the card's answer."""

    @property
    def transaction_id(self) -> bytes:
        """The transaction id."""
        ...

    @property
    def server_challenge(self) -> bytes:
        """The challenge that the card must sign."""
        ...

    @property
    def server_address(self) -> str:
        """The address that the card must sign."""
        ...

    @property
    def ci_key_to_be_used(self) -> bytes:
        """The CI under which the card must authenticate."""
        ...


@dataclass(frozen=True, slots=True)
class InitiatedAuthentication:
    """The answer to InitiateAuthentication, with the data that verify the card's answer to it."""

    server_signed1: ServerSigned1
    server_signature1: bytes
    ci_key_to_be_used: bytes
    identity: SmdpIdentity

    @property
    def transaction_id(self) -> bytes:
        """Return the id of this transaction."""
        return self.server_signed1.transaction_id

    @property
    def server_challenge(self) -> bytes:
        """Return the server's challenge."""
        return self.server_signed1.server_challenge

    @property
    def server_address(self) -> str:
        """Return the server's address as signed."""
        return self.server_signed1.server_address

    @property
    def server_certificate(self) -> bytes:
        """Return CERT.DPauth as sent to the card."""
        return self.identity.auth.certificate.raw


@dataclass(frozen=True, slots=True)
class AuthenticatedCard:
    """A card that has authenticated, and the data that it signed."""

    chain: CardChain
    signed: EuiccSigned1
    signature: bytes


@dataclass(frozen=True, slots=True)
class PreparedDownload:
    """The answer of authenticateClient without the metadata; the caller keeps it for the next step."""

    smdp_signed2: SmdpSigned2
    smdp_signature2: bytes
    smdp_certificate: bytes


def initiate_authentication(
    *,
    euicc_challenge: bytes,
    euicc_info1: EuiccInfo1,
    requested_address: str,
    own_address: str,
    identities: Iterable[SmdpIdentity],
    trust: Trust,
    transaction_id: bytes,
    server_challenge: bytes,
) -> InitiatedAuthentication:
    """Begin a transaction (SGP.22, 5.6.1): choose a CI that both sides support, and sign the challenges.

    The card's CI lists are in its order of preference. ``transaction_id`` and ``server_challenge`` must be
    fresh.

    Raises:
        RspRefusedError: the address, the version or the CI keys are not acceptable.
    """
    if requested_address.lower() != own_address.lower():  # domain names are compared without case: RFC 4343
        raise RspRefusedError(Status.SMDP_ADDRESS_INVALID)
    ci_key, identity = choose_identity(euicc_info1, identities, trust)
    signed = ServerSigned1.build(
        transaction_id=transaction_id,
        euicc_challenge=euicc_challenge,
        server_address=own_address,
        server_challenge=server_challenge,
    )
    signature = signatures.sign(identity.auth.key, signed.raw)
    return InitiatedAuthentication(signed, signature, ci_key, identity)


def choose_identity(
    euicc_info1: EuiccInfo1, identities: Iterable[SmdpIdentity], trust: Trust
) -> tuple[bytes, SmdpIdentity]:
    """Return the CI key under which the card must authenticate, and the server's identity to use.

    Raises:
        RspRefusedError: the version or the CI keys are not acceptable.
    """
    if not LOWEST_SVN <= euicc_info1.svn <= HIGHEST_SVN:
        raise RspRefusedError(Status.SVN_UNSUPPORTED, f"SGP.22 v{'.'.join(map(str, euicc_info1.svn))}")
    ci_key = next((key for key in euicc_info1.ci_keys_for_signing if key in trust.issuer_key_ids), None)
    if ci_key is None:
        raise RspRefusedError(Status.CI_KEY_UNSUPPORTED)
    under = {identity.issuer_key_id: identity for identity in identities}
    identity = next((under[key] for key in euicc_info1.ci_keys_for_verification if key in under), None)
    if identity is None:
        raise RspRefusedError(Status.NO_CERTIFICATE_FOR_CI)
    return ci_key, identity


def check_card(answer: AuthenticateResponseOk, *, begun: Begun, trust: Trust, at: datetime) -> AuthenticatedCard:
    """Verify a card's successful answer to AuthenticateServer (SGP.22, 5.6.3).

    The caller has checked that the answer belongs to the transaction ``begun``.

    Raises:
        RspRefusedError: certificates, signature or challenge are wrong.
    """
    try:
        chain = trust.check_card(answer.euicc_certificate, answer.eum_certificate, at)
    except CertificateRefusedError as error:
        raise RspRefusedError(status_of_certificate(error), error.message) from error
    if chain.issuer.key_id != begun.ci_key_to_be_used:
        raise RspRefusedError(Status.CI_UNKNOWN, "the card used another CI than it was asked to")
    signed = answer.euicc_signed1
    _verify(chain.euicc.public_key, answer.euicc_signature1, signed.raw)
    if signed.server_challenge != begun.server_challenge:
        raise RspRefusedError(Status.EUICC_SIGNATURE_INVALID, "the card signed another challenge")
    if signed.server_address.lower() != begun.server_address.lower():
        raise RspRefusedError(Status.EUICC_SIGNATURE_INVALID, "the card signed another address")
    return AuthenticatedCard(chain, signed, answer.euicc_signature1)


def prepare_download(
    identity: SmdpIdentity,
    transaction_id: bytes,
    *,
    euicc_signature1: bytes,
    cc_required: bool,
    bpp_euicc_otpk: bytes | None = None,
) -> PreparedDownload:
    """Sign smdpSigned2, which the card verifies before it makes its one-time key (SGP.22, 3.1.2 and 5.6.3).

    The signature also covers the card's first signature, which binds both signatures to one transaction.
    ``bpp_euicc_otpk`` is the card's one-time key of an earlier try for which a package was bound.
    """
    signed = SmdpSigned2.build(
        transaction_id=transaction_id, cc_required=cc_required, bpp_euicc_otpk=bpp_euicc_otpk
    )
    signature = signatures.sign(identity.pb.key, smdp_signed2_octets(signed, euicc_signature1))
    return PreparedDownload(signed, signature, identity.pb.certificate.raw)


def check_prepare_download(
    response: bytes,
    *,
    prepared: PreparedDownload,
    card_key: ec.EllipticCurvePublicKey,
    confirmation_code_digest: bytes | None,
) -> EuiccSigned2 | PrepareDownloadError:
    """Verify the card's answer to PrepareDownload (SGP.22, 5.6.2); a refusal by the card is returned.

    Raises:
        RspRefusedError: transaction, signature or confirmation code are wrong.
        RspDecodeError: ``response`` is not a PrepareDownloadResponse.
    """
    answer = decode_prepare_download_response(response)
    transaction_id = prepared.smdp_signed2.transaction_id
    if answer.transaction_id != transaction_id:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
    if isinstance(answer, PrepareDownloadError):
        return answer
    signed = answer.euicc_signed2
    _verify(card_key, answer.euicc_signature2, euicc_signed2_octets(signed, prepared.smdp_signature2))
    if confirmation_code_digest is not None:
        if signed.hash_cc is None:
            raise RspRefusedError(Status.CONFIRMATION_CODE_MISSING)
        expected = signatures.hash_cc(confirmation_code_digest, transaction_id)
        if not compare_digest(signed.hash_cc, expected):
            raise RspRefusedError(Status.CONFIRMATION_CODE_REFUSED)
    return signed


def check_install_result(
    result: InstallResult, *, transaction_id: bytes, iccid: bytes, card_key: ec.EllipticCurvePublicKey
) -> InstallResultData:
    """Verify that this card signed the result of this download (SGP.22, 5.6.4); it may be success or failure.

    Raises:
        RspRefusedError: it is for another transaction or profile, or not signed by this card.
    """
    data = result.data
    if data.transaction_id != transaction_id:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
    _verify(card_key, result.signature, data.raw)
    if data.notification.iccid not in (iccid, None):
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN, "the result is about another profile")
    return data


def check_other_notification(notification: OtherSignedNotification, *, trust: Trust, at: datetime) -> CardChain:
    """Verify a notification with the certificates that it contains; return the card that signed it.

    Raises:
        RspRefusedError: its certificates are not trusted, or the signature is wrong.
    """
    try:
        chain = trust.check_card(notification.euicc_certificate, notification.eum_certificate, at)
    except CertificateRefusedError as error:
        raise RspRefusedError(status_of_certificate(error), error.message) from error
    _verify(chain.euicc.public_key, notification.signature, notification.notification.raw)
    return chain


def check_cancel_session(
    response: bytes, *, transaction_id: bytes, smdp_oid: str, card_key: ec.EllipticCurvePublicKey
) -> int | CancelSessionError:
    """Verify a signed cancellation (SGP.22, 5.6.5); return its reason, or the card's refusal.

    Raises:
        RspRefusedError: transaction, signature or object identifier are wrong.
        RspDecodeError: ``response`` is not a CancelSessionResponse.
    """
    answer = decode_cancel_session_response(response)
    if isinstance(answer, CancelSessionError):
        return answer
    if answer.signed.transaction_id != transaction_id:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
    _verify(card_key, answer.signature, answer.signed.raw)
    if answer.signed.smdp_oid != smdp_oid:
        raise RspRefusedError(Status.SMDP_OID_INVALID)
    return answer.signed.reason


def _verify(key: ec.EllipticCurvePublicKey, signature: bytes, octets: bytes) -> None:
    try:
        signatures.verify(key, signature, octets)
    except SignatureRefusedError as error:
        raise RspRefusedError(Status.EUICC_SIGNATURE_INVALID, error.message) from error
