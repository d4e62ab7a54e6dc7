"""An SM-DP+ within the test's own process, made of the pure functions, and cards to download onto."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import credentials_of_pki
from kswifi.euicc.storage import Storage
from kswifi.kernel.numbers import Eid
from kswifi.lab.phone.es9 import AuthenticateClientAnswer, Es9RefusedError, InitiateAuthenticationAnswer
from kswifi.rsp import binding, bsp, curves, pki, pki_making, signatures, smdp, tlv
from kswifi.rsp.curves import Curve
from kswifi.rsp.fields import OCTET_STRING, SIGNATURE
from kswifi.rsp.messages.authentication import AuthenticateResponseError, decode_authenticate_server_response
from kswifi.rsp.messages.download import CancelSessionError, EuiccSigned2, PrepareDownloadError
from kswifi.rsp.messages.euicc_info import EuiccInfo1
from kswifi.rsp.messages.metadata import NotificationConfiguration, NotificationEvent, ProfileMetadata
from kswifi.rsp.messages.notifications import (
    InstallResult,
    InstallResultData,
    OtherSignedNotification,
    decode_pending_notification,
)
from kswifi.rsp.smdp import AuthenticatedCard, Begun, check_card
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.rsp.trust import Trust
from tests.support.cards import iccid, profile_package
from tests.support.memory_storage import MemoryStorage

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADDRESS: Final = "rsp.kswifi.example"
CARD_EID: Final = Eid("89049032123451234512345678901235")
SGP26_FOLDER: Final = Path(__file__).parents[1] / "data" / "sgp26"


def sgp26_files(curve: Curve | None = None) -> dict[str, bytes]:
    """The GSMA test certificates, all or those of one curve."""
    return {
        str(path.relative_to(SGP26_FOLDER)): path.read_bytes()
        for path in sorted(SGP26_FOLDER.rglob("*"))
        if path.is_file() and (curve is None or path.stem.endswith(curve.value))
    }


def own_files(*chosen: Curve, at: datetime = NOW) -> dict[str, bytes]:
    """Certificates made on the spot."""
    plan = pki_making.PkiPlan("KSWiFi", ADDRESS, "89049032", curves=chosen or tuple(Curve))
    return pki_making.make_pki(plan, CARD_EID, at)


OWN: Final = pki.load_pki(own_files())
SGP26: Final = pki.load_pki(sgp26_files())


def new_card(source: pki.Pki = OWN, storage: Storage | None = None, memory_octets: int = 512 * 1024) -> Euicc:
    credentials = credentials_of_pki(source)
    return Euicc.create(storage or MemoryStorage(), credentials.eid, memory_octets, credentials)


def metadata(number: int = 1, **changes: Any) -> ProfileMetadata:
    every = NotificationConfiguration(frozenset(NotificationEvent) - {NotificationEvent.INSTALL}, ADDRESS)
    values: dict[str, Any] = {
        "iccid": iccid(number).to_bytes(),
        "service_provider_name": "KSWiFi",
        "profile_name": f"line {number}",
        "notifications": (every,),
        **changes,
    }
    return ProfileMetadata(**values)


def unchanged(octets: bytes) -> bytes:
    return octets


@dataclass
class SmallSmdp:
    """One order at a time; ``alter`` may change what goes to the card, by the name of the field."""

    source: pki.Pki = OWN
    profile: bytes = field(default_factory=profile_package)
    metadata: bytes = field(default_factory=lambda: metadata().encode())
    confirmation_code: str | None = None
    session_keys: bool = False
    alter: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    again: bool = False
    """Ask for the one-time key of the try before."""
    at: datetime = NOW

    results: list[InstallResultData] = field(default_factory=list)
    notifications: list[OtherSignedNotification] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    package: bytes = b""
    otpk: bytes | None = None
    _begun: smdp.InitiatedAuthentication | None = None
    _card: smdp.AuthenticatedCard | None = None
    _prepared: smdp.PreparedDownload | None = None

    def _altered(self, name: str, octets: bytes) -> bytes:
        return self.alter.get(name, unchanged)(octets)

    def initiate_authentication(
        self, address: str, euicc_challenge: bytes, euicc_info1: bytes
    ) -> InitiateAuthenticationAnswer:
        begun = smdp.initiate_authentication(
            euicc_challenge=euicc_challenge, euicc_info1=EuiccInfo1.decode(euicc_info1), requested_address=address,
            own_address=ADDRESS, identities=self.source.smdp_identities(), trust=self.source.trust(),
            transaction_id=os.urandom(16), server_challenge=os.urandom(16),
        )  # fmt: skip
        self._begun = begun
        return InitiateAuthenticationAnswer(
            transaction_id=begun.transaction_id,
            server_signed1=self._altered("server_signed1", begun.server_signed1.raw),
            server_signature1=tlv.encode(SIGNATURE, self._altered("server_signature1", begun.server_signature1)),
            ci_key_to_be_used=tlv.encode(OCTET_STRING, self._altered("ci_key", begun.ci_key_to_be_used)),
            server_certificate=self._altered("server_certificate", begun.server_certificate),
        )

    def authenticate_client(self, address: str, transaction_id: bytes, response: bytes) -> AuthenticateClientAnswer:
        assert self._begun is not None
        try:
            card = check_authenticate_client(response, begun=self._begun, trust=self.source.trust(), at=self.at)
        except RspRefusedError as error:
            raise Es9RefusedError(error.status.subject_code, error.status.reason_code, error.message) from error
        if isinstance(card, AuthenticateResponseError):
            self.refusals.append(card.error_code)
            raise Es9RefusedError("8.1", "6.1", "the card refused")
        self._card = card
        self._prepared = smdp.prepare_download(
            self._begun.identity, transaction_id, euicc_signature1=card.signature,
            cc_required=self.confirmation_code is not None, bpp_euicc_otpk=self.otpk if self.again else None,
        )  # fmt: skip
        return AuthenticateClientAnswer(
            profile_metadata=self.metadata,
            smdp_signed2=self._altered("smdp_signed2", self._prepared.smdp_signed2.raw),
            smdp_signature2=tlv.encode(SIGNATURE, self._altered("smdp_signature2", self._prepared.smdp_signature2)),
            smdp_certificate=self._altered("smdp_certificate", self._prepared.smdp_certificate),
        )

    def get_bound_profile_package(self, address: str, transaction_id: bytes, response: bytes) -> bytes:
        assert self._prepared is not None
        assert self._card is not None
        code = self.confirmation_code
        try:
            signed = smdp.check_prepare_download(
                response, prepared=self._prepared, card_key=self._card.chain.euicc.public_key,
                confirmation_code_digest=None if code is None else signatures.confirmation_code_digest(code),
            )  # fmt: skip
        except RspRefusedError as error:
            raise Es9RefusedError(error.status.subject_code, error.status.reason_code, error.message) from error
        if isinstance(signed, PrepareDownloadError):
            self.refusals.append(signed.error_code)
            raise Es9RefusedError("8.1", "6.1", "the card refused")
        self.package = self._altered("package", self._bind(transaction_id, signed))
        return self.package

    def _bind(self, transaction_id: bytes, signed: EuiccSigned2) -> bytes:
        assert self._begun is not None
        assert self._card is not None
        self.otpk = signed.euicc_otpk
        identity = self._begun.identity
        return binding.bind_profile(
            self.profile, self.metadata,
            card=binding.CardBinding(
                transaction_id, bytes.fromhex(self._card.chain.eid), signed.euicc_otpk, b"host"
            ),
            one_time_key=curves.new_key(identity.pb.certificate.curve), signing_key=identity.pb.key,
            protection_keys=None if self.session_keys else bsp.new_profile_protection_keys(os.urandom),
        )  # fmt: skip

    def cancel_session(self, address: str, transaction_id: bytes, response: bytes) -> None:
        assert self._begun is not None
        assert self._card is not None
        oid = self._begun.identity.oid
        reason = smdp.check_cancel_session(
            response, transaction_id=transaction_id, smdp_oid=oid, card_key=self._card.chain.euicc.public_key
        )
        assert not isinstance(reason, CancelSessionError)
        self.cancelled.append(reason)

    def handle_notification(self, address: str, notification: bytes) -> None:
        assert address == ADDRESS
        pending = decode_pending_notification(notification)
        if isinstance(pending, InstallResult):
            assert self._begun is not None
            assert self._card is not None
            self.results.append(
                smdp.check_install_result(
                    pending, transaction_id=self._begun.transaction_id,
                    iccid=ProfileMetadata.decode(self.metadata).iccid,
                    card_key=self._card.chain.euicc.public_key,
                )
            )  # fmt: skip
        else:
            smdp.check_other_notification(pending, trust=self.source.trust(), at=self.at)
            self.notifications.append(pending)


def check_authenticate_client(
    response: bytes, *, begun: Begun, trust: Trust, at: datetime
) -> AuthenticatedCard | AuthenticateResponseError:
    """Check the card's answer to AuthenticateServer (SGP.22, 5.6.3); a card's own refusal is returned.

    Raises:
        RspRefusedError: transaction, certificates, signature or challenge are wrong.
        RspDecodeError: it is no AuthenticateServerResponse.
    """
    answer = decode_authenticate_server_response(response)
    if answer.transaction_id != begun.transaction_id:
        raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
    if isinstance(answer, AuthenticateResponseError):
        return answer
    return check_card(answer, begun=begun, trust=trust, at=at)
