"""A card reduced to its cryptography, for load and for tests that need a card to make mistakes.

It answers the ES10b requests of a download with the pure functions of ``rsp``. It has no files and stores no
profile; it decrypts a bound profile package without interpreting the profile.
"""

import os
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.kernel.numbers import Eid
from kswifi.rsp import binding, curves, signatures
from kswifi.rsp.certificates import Role
from kswifi.rsp.fields import Version
from kswifi.rsp.messages import bound_profile_package as bpp
from kswifi.rsp.messages.authentication import AuthenticateResponseOk, CtxParams1, EuiccSigned1, ServerSigned1
from kswifi.rsp.messages.download import (
    CancelSessionOk,
    CancelSessionSigned,
    EuiccSigned2,
    PrepareDownloadOk,
    SmdpSigned2,
    euicc_signed2_octets,
    smdp_signed2_octets,
)
from kswifi.rsp.messages.euicc_info import EuiccInfo1, EuiccInfo2, ExtCardResource, UiccCapability
from kswifi.rsp.messages.metadata import NotificationEvent
from kswifi.rsp.messages.notifications import (
    InstallFailure,
    InstallResult,
    InstallResultData,
    InstallSuccess,
    NotificationMetadata,
)
from kswifi.rsp.pki import CardIdentity
from kswifi.rsp.trust import Trust

SVN: Final[Version] = (2, 2, 2)
TAC: Final = bytes.fromhex("35290611")
CHALLENGE_OCTETS: Final = 16


@dataclass(slots=True)
class LightCard:
    """One card under one CI, and its state in the current transaction.

    Attributes:
        identity: its certificates and private key.
        trust: verifies servers.
        svn: the version of SGP.22 that it claims.
        capabilities: of its UICC.
        free_octets: the free memory that it claims.
        one_time_key: of the current download (otSK).
        signature1: its signature in AuthenticateServer, which the server's second signature covers.
        sequence_number: of its last notification.
    """

    identity: CardIdentity
    trust: Trust
    svn: Version = SVN
    capabilities: tuple[int, ...] = (UiccCapability.USIM, UiccCapability.MILENAGE)
    free_octets: int = 1_000_000
    one_time_key: ec.EllipticCurvePrivateKey | None = field(default=None, repr=False)
    signature1: bytes = b""
    sequence_number: int = 0

    @property
    def eid(self) -> Eid:
        """The card's EID."""
        eid = self.identity.euicc.certificate.eid
        assert eid is not None  # noqa: S101 - a card's certificate has one
        return eid

    def info1(self) -> bytes:
        """Return EUICCInfo1 (BF20)."""
        keys = [self.identity.issuer_key_id]
        return EuiccInfo1.build(self.svn, keys, keys).raw

    def challenge(self) -> bytes:
        """Return a fresh challenge."""
        return os.urandom(CHALLENGE_OCTETS)

    def authenticate(
        self, server_signed1: bytes, signature: bytes, certificate: bytes, matching_id: str | None
    ) -> AuthenticateResponseOk:
        """Answer ES10b.AuthenticateServer; ``signature`` is without its tag.

        Raises:
            RspError: the server's certificate or signature is wrong.
        """
        server = self.trust.check_server(certificate, Role.DP_AUTH, None)
        signatures.verify(server.public_key, signature, server_signed1)
        info2 = EuiccInfo2.build(
            svn=self.svn,
            profile_version=(2, 3, 1),
            firmware_version=(1, 0, 0),
            resource=ExtCardResource(0, self.free_octets, 10_000),
            uicc_capability=self.capabilities,
            rsp_capability=(0,),
            ci_keys=(self.identity.issuer_key_id,),
            sas_accreditation_number="KS-WI-FI-0001",
        )
        signed = EuiccSigned1.build(ServerSigned1.decode(server_signed1), info2, CtxParams1(matching_id, TAC))
        self.signature1 = self.sign(signed.raw)
        return AuthenticateResponseOk(
            signed, self.signature1, self.identity.euicc.certificate.raw, self.identity.eum.raw
        )

    def prepare_download(
        self, smdp_signed2: bytes, signature: bytes, certificate: bytes, code_digest: bytes | None = None
    ) -> PrepareDownloadOk:
        """Answer ES10b.PrepareDownload; use the one-time key of an earlier attempt again if the server asks for it.

        Raises:
            RspError: the server's certificate or signature is wrong.
        """
        server = self.trust.check_server(certificate, Role.DP_PB, None)
        asked = SmdpSigned2.decode(smdp_signed2)
        signatures.verify(server.public_key, signature, smdp_signed2_octets(asked, self.signature1))
        own = None if self.one_time_key is None else curves.point_octets(self.one_time_key)
        if own is None or own != asked.bpp_euicc_otpk:
            self.one_time_key = curves.new_key(server.curve)
            own = curves.point_octets(self.one_time_key)
        hashed = None
        if asked.cc_required and code_digest is not None:
            hashed = signatures.hash_cc(code_digest, asked.transaction_id)
        signed = EuiccSigned2.build(transaction_id=asked.transaction_id, euicc_otpk=own, hash_cc=hashed)
        return PrepareDownloadOk(signed, self.sign(euicc_signed2_octets(signed, signature)))

    def open_package(self, package: bytes, transaction_id: bytes, certificate: bytes) -> list[binding.Opened]:
        """Decrypt a bound profile package, segment by segment.

        Raises:
            BoundProfileRefusedError: it is not for this card and transaction.
        """
        server = self.trust.check_server(certificate, Role.DP_PB, None)
        assert self.one_time_key is not None  # noqa: S101 - prepare_download made it
        secrets = binding.CardSecrets(transaction_id, bytes.fromhex(self.eid), self.one_time_key, server.public_key)
        opener = binding.PackageOpener(secrets)
        return [event for unit in bpp.units(package) for event in opener.feed(unit)]

    def install_result(
        self,
        transaction_id: bytes,
        iccid: bytes,
        address: str,
        smdp_oid: str,
        result: InstallSuccess | InstallFailure | None = None,
    ) -> InstallResult:
        """Return a signed ProfileInstallationResult; of a success unless ``result`` is given."""
        self.sequence_number += 1
        note = NotificationMetadata.build(
            sequence_number=self.sequence_number, event=NotificationEvent.INSTALL, address=address, iccid=iccid
        )
        data = InstallResultData.build(
            transaction_id=transaction_id,
            notification=note,
            smdp_oid=smdp_oid,
            final_result=result or InstallSuccess(bytes.fromhex("A0000005591010FFFFFFFF8900001000"), b"\x30\x00"),
        )
        return InstallResult(data, self.sign(data.raw))

    def cancellation(self, transaction_id: bytes, smdp_oid: str, reason: int) -> CancelSessionOk:
        """Return a signed CancelSessionResponse."""
        signed = CancelSessionSigned.build(transaction_id=transaction_id, smdp_oid=smdp_oid, reason=reason)
        return CancelSessionOk(signed, self.sign(signed.raw))

    def sign(self, octets: bytes) -> bytes:
        """Return the signature of the card's private key over octets."""
        return signatures.sign(self.identity.euicc.key, octets)
