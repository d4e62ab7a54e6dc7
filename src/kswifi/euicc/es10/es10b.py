"""ES10b: mutual authentication and preparation of downloads (SGP.22, 5.7.5, 5.7.7, 5.7.8, 5.7.13, 5.7.14)."""

from os import urandom
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.euicc.channel import CardSession
from kswifi.euicc.es10 import credentials
from kswifi.euicc.es10.transaction import Authenticated, RspTransaction
from kswifi.euicc.files.filesystem import SVN
from kswifi.euicc.state import CardState, EuiccIdentity
from kswifi.rsp import signatures, tlv
from kswifi.rsp.binding import CardSecrets
from kswifi.rsp.certificates import Role, RspCertificate
from kswifi.rsp.curves import Curve, curve_of, new_key, point_octets
from kswifi.rsp.errors import CertificateRefusedError, SignatureRefusedError, UnknownCertificateIssuerError
from kswifi.rsp.fields import Version
from kswifi.rsp.messages.authentication import (
    CHALLENGE_OCTETS,
    AuthenticateError,
    AuthenticateResponseError,
    AuthenticateResponseOk,
    AuthenticateServerRequest,
    EuiccSigned1,
)
from kswifi.rsp.messages.download import (
    CancelSessionError,
    CancelSessionOk,
    CancelSessionRequest,
    CancelSessionSigned,
    DownloadError,
    EuiccSigned2,
    PrepareDownloadError,
    PrepareDownloadOk,
    PrepareDownloadRequest,
    euicc_signed2_octets,
    smdp_signed2_octets,
)
from kswifi.rsp.messages.euicc_info import (
    EuiccInfo1,
    EuiccInfo2,
    ExtCardResource,
    RspCapability,
    UiccCapability,
)

TAG_GET_CHALLENGE: Final = 0xBF2E
_PROFILE_VERSION: Final[Version] = (2, 3, 1)
_FIRMWARE_VERSION: Final[Version] = (1, 0, 0)
_UICC_CAPABILITIES: Final = (
    UiccCapability.USIM,
    UiccCapability.ISIM,
    UiccCapability.CSIM,
    UiccCapability.MILENAGE,
    UiccCapability.USIM_TEST_ALGORITHM,
    UiccCapability.BER_TLV_FILES,
    UiccCapability.GET_IDENTITY,
    UiccCapability.PROFILE_A_X25519,
    UiccCapability.PROFILE_B_P256,
)
_RSP_CAPABILITIES: Final = (
    RspCapability.ADDITIONAL_PROFILE,
    RspCapability.TEST_PROFILE,
    RspCapability.SERVICE_SPECIFIC_DATA,
)
_VOLATILE_OCTETS: Final = 32 * 1024
_ACCREDITATION: Final = "KSWiFi software eUICC"  # not an accreditation: no certified site makes this card
_INVALID_TRANSACTION_ID: Final = 5


def get_info1(session: CardSession, _request: bytes) -> bytes:
    """Answer GetEUICCInfo1 (5.7.8)."""
    keys = [each.issuer_key_id for each in session.state.identities]
    return EuiccInfo1.build(SVN, credentials.trust_of(session.state).issuer_key_ids, keys).raw


def get_info2(session: CardSession, _request: bytes) -> bytes:
    """Answer GetEUICCInfo2 (5.7.8)."""
    return _info2(session.state).raw


def _info2(state: CardState) -> EuiccInfo2:
    return EuiccInfo2.build(
        svn=SVN,
        profile_version=_PROFILE_VERSION,
        firmware_version=_FIRMWARE_VERSION,
        resource=ExtCardResource(len(state.profiles), state.free_octets(), _VOLATILE_OCTETS),
        uicc_capability=_UICC_CAPABILITIES,
        rsp_capability=_RSP_CAPABILITIES,
        ci_keys=[each.issuer_key_id for each in state.identities],
        sas_accreditation_number=_ACCREDITATION,
    )


def get_challenge(session: CardSession, _request: bytes) -> bytes:
    """Answer GetEUICCChallenge (5.7.7): start a new transaction and discard the running one."""
    challenge = urandom(CHALLENGE_OCTETS)
    session.rsp = RspTransaction(challenge)
    return tlv.encode(TAG_GET_CHALLENGE, tlv.encode(0x80, challenge))


class _RefusedError(Exception):
    """A check failed; ``code`` goes into the error answer."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def authenticate_server(session: CardSession, request: bytes) -> bytes:
    """Answer AuthenticateServer (5.7.13): verify the server, then sign the card's own data."""
    asked = AuthenticateServerRequest.decode(request)
    try:
        server = _check_server(session.state, asked, _challenge(session))
        identity = _identity(session.state, asked.ci_key_to_be_used)
    except _RefusedError as refusal:
        return AuthenticateResponseError(asked.server_signed1.transaction_id, refusal.code).encode()
    signed = EuiccSigned1.build(asked.server_signed1, _info2(session.state), asked.ctx_params1)
    signature = credentials.sign(identity, signed.raw)
    authenticated = Authenticated(signed.transaction_id, server, signed.server_address, identity, signature)
    session.rsp = RspTransaction(challenge=None, authenticated=authenticated)
    return AuthenticateResponseOk(signed, signature, identity.certificate, identity.eum_certificate).encode()


def _challenge(session: CardSession) -> bytes:
    """Return the pending challenge and clear it: it is valid for one AuthenticateServer."""
    if session.rsp is None or session.rsp.challenge is None:
        raise _RefusedError(AuthenticateError.NO_SESSION_CONTEXT)
    challenge, session.rsp.challenge = session.rsp.challenge, None
    return challenge


def _identity(state: CardState, issuer_key_id: bytes) -> EuiccIdentity:
    identity = credentials.identity_of(state, issuer_key_id)
    if identity is None:
        raise _RefusedError(AuthenticateError.CI_KEY_UNKNOWN)
    return identity


def _check_server(state: CardState, asked: AuthenticateServerRequest, challenge: bytes) -> RspCertificate:
    try:
        server = credentials.trust_of(state).check_server(asked.server_certificate, Role.DP_AUTH, at=None)
    except UnknownCertificateIssuerError:
        raise _RefusedError(AuthenticateError.CI_KEY_UNKNOWN) from None
    except CertificateRefusedError:
        raise _RefusedError(AuthenticateError.INVALID_CERTIFICATE) from None
    if server.oid is None:
        raise _RefusedError(AuthenticateError.INVALID_OID)
    try:
        signatures.verify(server.public_key, asked.server_signature1, asked.server_signed1.raw)
    except SignatureRefusedError:
        raise _RefusedError(AuthenticateError.INVALID_SIGNATURE) from None
    if asked.server_signed1.euicc_challenge != challenge:
        raise _RefusedError(AuthenticateError.EUICC_CHALLENGE_MISMATCH)
    return server


def prepare_download(session: CardSession, request: bytes) -> bytes:
    """Answer PrepareDownload (5.7.5): verify the server's second signature, then sign a one-time key."""
    asked = PrepareDownloadRequest.decode(request)
    try:
        transaction, authenticated = _authenticated(session, asked)
        server = _check_smdp(session.state, asked, authenticated)
    except _RefusedError as refusal:
        return PrepareDownloadError(asked.smdp_signed2.transaction_id, refusal.code).encode()
    key = _one_time_key(session, server.curve, asked.smdp_signed2.bpp_euicc_otpk)
    signed = EuiccSigned2.build(
        transaction_id=authenticated.transaction_id,
        euicc_otpk=point_octets(key),
        hash_cc=asked.hash_cc if asked.smdp_signed2.cc_required else None,
    )
    octets = euicc_signed2_octets(signed, asked.smdp_signature2)
    eid = bytes.fromhex(session.state.eid)
    transaction.secrets = CardSecrets(authenticated.transaction_id, eid, key, server.public_key)
    transaction.loading = None
    return PrepareDownloadOk(signed, credentials.sign(authenticated.identity, octets)).encode()


def _authenticated(session: CardSession, asked: PrepareDownloadRequest) -> tuple[RspTransaction, Authenticated]:
    if session.rsp is None or session.rsp.authenticated is None:
        raise _RefusedError(DownloadError.NO_SESSION_CONTEXT)
    if asked.smdp_signed2.transaction_id != session.rsp.authenticated.transaction_id:
        raise _RefusedError(DownloadError.INVALID_TRANSACTION_ID)
    return session.rsp, session.rsp.authenticated


def _check_smdp(state: CardState, asked: PrepareDownloadRequest, authenticated: Authenticated) -> RspCertificate:
    """Check that CERT.DPpb belongs to the authenticated server: same object identifier, same CI."""
    try:
        server = credentials.trust_of(state).check_server(asked.smdp_certificate, Role.DP_PB, at=None)
    except CertificateRefusedError:
        raise _RefusedError(DownloadError.INVALID_CERTIFICATE) from None
    first = authenticated.server
    if (server.oid, server.issuer_key_id) != (first.oid, first.issuer_key_id):
        raise _RefusedError(DownloadError.INVALID_CERTIFICATE)
    try:
        octets = smdp_signed2_octets(asked.smdp_signed2, authenticated.signature)
        signatures.verify(server.public_key, asked.smdp_signature2, octets)
    except SignatureRefusedError:
        raise _RefusedError(DownloadError.INVALID_SIGNATURE) from None
    return server


def _one_time_key(session: CardSession, curve: Curve, wanted: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Return the one-time key of an earlier try if the server asks for it and the card has it; else a new one."""
    state = session.state
    if wanted is not None and state.one_time_key:
        kept = credentials.read_key(state.one_time_key)
        if point_octets(kept) == wanted and curve_of(kept) is curve:
            return kept
    key = new_key(curve)
    state.one_time_key = credentials.key_octets(key)
    session.commit()
    return key


def cancel_session(session: CardSession, request: bytes) -> bytes:
    """Answer CancelSession (5.7.14): sign the end of the download and its reason."""
    asked = CancelSessionRequest.decode(request)
    authenticated = None if session.rsp is None else session.rsp.authenticated
    if authenticated is None or asked.transaction_id != authenticated.transaction_id:
        return CancelSessionError(_INVALID_TRANSACTION_ID).encode()
    signed = CancelSessionSigned.build(
        transaction_id=asked.transaction_id, smdp_oid=authenticated.smdp_oid, reason=asked.reason
    )
    session.rsp = None
    return CancelSessionOk(signed, credentials.sign(authenticated.identity, signed.raw)).encode()
