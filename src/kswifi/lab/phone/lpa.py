"""The LPA (local profile assistant): it carries messages between an SM-DP+ and a card (SGP.22, 3.1 and 3.5).

A download, seen from the LPA, which can read most of the messages but forge none:

1. The card gives a challenge. ``InitiateAuthentication`` takes it to the server, which signs it and adds its own
   challenge and certificate.
2. ``AuthenticateServer``: the card verifies the server and signs the server's challenge.
3. ``AuthenticateClient``: the server verifies the card, finds the order by the MatchingID, and answers the
   profile's metadata and a second signed message. Here the user is asked, and a confirmation code if the order has
   one.
4. ``PrepareDownload``: the card makes a one-time key pair and signs the public key.
5. ``GetBoundProfilePackage``: the server derives session keys from its own one-time key and the card's, and
   encrypts the profile for this card in this transaction.
6. ``LoadBoundProfilePackage``: the LPA gives the package to the card in segments. The card answers with a signed
   ProfileInstallationResult, which it also keeps as a notification.
7. ``HandleNotification`` takes that result to the server; then the card may forget it.

If the LPA stops after step 3, it tells the server so with a CancelSession that the card signs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Iccid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es9 import Es9, Es9RefusedError, Es9UnreachableError
from kswifi.lab.phone.es10 import CHUNK_OCTETS, ApduReader, CardError, Es10
from kswifi.rsp import signatures, tlv
from kswifi.rsp.certificates import read_certificate
from kswifi.rsp.errors import RspError
from kswifi.rsp.fields import OCTET_STRING
from kswifi.rsp.messages.authentication import (
    TAG_AUTHENTICATE_SERVER,
    AuthenticateError,
    AuthenticateResponseError,
    CtxParams1,
    decode_authenticate_server_response,
)
from kswifi.rsp.messages.bound_profile_package import units
from kswifi.rsp.messages.download import (
    TAG_PREPARE_DOWNLOAD,
    CancelReason,
    CancelSessionRequest,
    DownloadError,
    PrepareDownloadError,
    SmdpSigned2,
    decode_prepare_download_response,
)
from kswifi.rsp.messages.metadata import ProfileMetadata
from kswifi.rsp.messages.notifications import (
    InstallError,
    InstallFailure,
    InstallResult,
    NotificationMetadata,
)
from kswifi.rsp.saip.response import PeStatus, decode_euicc_response

_TAC: Final = bytes.fromhex("35290611")  # the value of other software LPAs; this device has no type approval
Tell = Callable[[str], None]
Agree = Callable[[ProfileMetadata], bool]


class DownloadRefusedError(KswifiError):
    """The profile was not downloaded; the message says which side refused and why."""

    code = "download_refused"


class ConfirmationCodeNeededError(DownloadRefusedError):
    """The order needs a confirmation code and none was given. The download can be tried again with one."""

    code = "confirmation_code_needed"


@dataclass(frozen=True, slots=True)
class DownloadedProfile:
    """A profile that was installed on the card, disabled, and the result that the card signed."""

    iccid: Iccid
    metadata: ProfileMetadata
    install_result: bytes


@dataclass(frozen=True, slots=True)
class ProcessedNotification:
    """A notification after an attempt to deliver it; ``failure`` is None if it was delivered and removed."""

    metadata: NotificationMetadata
    failure: str | None


class Lpa:
    """Carries messages between one card and servers.

    Args:
        reader: the card.
        es9: the way to servers.
        tell: called with a line of text at each step; None for no output.
        chunk_octets: how many octets of a request go into one command to the card.
    """

    def __init__(
        self, reader: ApduReader, es9: Es9, tell: Tell | None = None, chunk_octets: int = CHUNK_OCTETS
    ) -> None:
        self._reader = reader
        self._es9 = es9
        self._tell: Tell = tell or (lambda _: None)
        self._chunk_octets = chunk_octets

    def download(
        self, code: ActivationCode, confirmation_code: str | None = None, agree: Agree = lambda _: True
    ) -> DownloadedProfile:
        """Download and install a profile. It stays disabled, and its result stays on the card as a notification.

        Args:
            code: the activation code.
            confirmation_code: for orders that need one.
            agree: decides, from the profile's metadata, whether to install it.

        Raises:
            DownloadRefusedError: server, card or user refused; nothing stays on the card.
            Es9RefusedError, Es9UnreachableError: the server refused, or cannot be reached.
            CardError: the card refused a command.
        """
        with Es10(self._reader, self._chunk_octets) as es10:
            return _Download(es10, self._es9, self._tell, code).run(confirmation_code, agree)

    def process_notifications(self) -> list[ProcessedNotification]:
        """Deliver all notifications to their servers, in order; remove the delivered ones from the card (3.5)."""
        with Es10(self._reader, self._chunk_octets) as es10:
            waiting = sorted(es10.notifications(), key=lambda each: each.sequence_number)
            return [self._deliver(es10, metadata) for metadata in waiting]

    def _deliver(self, es10: Es10, metadata: NotificationMetadata) -> ProcessedNotification:
        self._tell(f"notification {metadata.sequence_number} ({metadata.event.name.lower()}) to {metadata.address}")
        try:
            self._es9.handle_notification(metadata.address, es10.retrieve_notification(metadata.sequence_number))
        except (Es9RefusedError, Es9UnreachableError) as error:
            return ProcessedNotification(metadata, error.message)
        es10.remove_notification(metadata.sequence_number)
        return ProcessedNotification(metadata, None)


class _Download:
    """One download transaction. If it is broken off after step 3, the server gets a CancelSession."""

    def __init__(self, es10: Es10, es9: Es9, tell: Tell, code: ActivationCode) -> None:
        self._es10 = es10
        self._es9 = es9
        self._tell = tell
        self._code = code
        self._address = code.smdp_address
        self._transaction_id = b""

    def run(self, confirmation_code: str | None, agree: Agree) -> DownloadedProfile:
        response = self._authenticate()
        self._tell("the server checks the card")
        answer = self._es9.authenticate_client(self._address, self._transaction_id, response)
        try:
            metadata = ProfileMetadata.decode(answer.profile_metadata)
            signed2 = SmdpSigned2.decode(answer.smdp_signed2)
        except RspError as error:
            raise self._cancelled(CancelReason.METADATA_MISMATCH, error.message) from error
        self._tell(f"offered: {metadata.service_provider_name} {metadata.profile_name}".rstrip())
        if not agree(metadata):
            raise self._cancelled(CancelReason.END_USER_REJECTION, "you declined the profile")
        hash_cc = self._hash_cc(signed2, confirmation_code)
        prepared = self._prepare(answer.smdp_signed2 + answer.smdp_signature2, hash_cc, answer.smdp_certificate)
        self._tell("the server binds the profile to this card")
        package = self._es9.get_bound_profile_package(self._address, self._transaction_id, prepared)
        return self._load(package, metadata)

    def _authenticate(self) -> bytes:
        """Do steps 1 and 2, mutual authentication; return the card's AuthenticateServerResponse (3.1.2)."""
        self._tell(f"connecting to {self._address}")
        challenge, info1 = self._es10.challenge(), self._es10.info1()
        begun = self._es9.initiate_authentication(self._address, challenge, info1.raw)
        self._transaction_id = begun.transaction_id
        self._check_oid(begun.server_certificate)
        self._tell("the card checks the server")
        context = CtxParams1(self._code.matching_id, _TAC)
        request = tlv.encode(
            TAG_AUTHENTICATE_SERVER,
            begun.server_signed1,
            begun.server_signature1,
            begun.ci_key_to_be_used,
            begun.server_certificate,
            context.encode(),
        )
        response = self._es10.send(request)
        decoded = decode_authenticate_server_response(response)
        if isinstance(decoded, AuthenticateResponseError):
            reason = _name(AuthenticateError, decoded.error_code)
            self._inform(self._es9.authenticate_client, response)
            raise DownloadRefusedError(f"the card does not trust the server: {reason}", error=decoded.error_code)
        return response

    def _check_oid(self, certificate: bytes) -> None:
        """Compare the server's object identifier with the one in the activation code, if it has one (4.1)."""
        wanted = self._code.smdp_oid
        if wanted is None:
            return
        try:
            named = read_certificate(certificate).oid
        except RspError as error:
            raise DownloadRefusedError(f"the server's certificate: {error.message}") from error
        if named != wanted:
            raise DownloadRefusedError("this is not the server that the activation code names", named=named)

    def _hash_cc(self, signed2: SmdpSigned2, confirmation_code: str | None) -> bytes | None:
        """Return the hash of the confirmation code for this transaction; None if the order needs no code."""
        if not signed2.cc_required:
            return None
        if confirmation_code is None:
            self._cancel(CancelReason.POSTPONED)
            raise ConfirmationCodeNeededError("the profile asks for a confirmation code")
        digest = signatures.confirmation_code_digest(confirmation_code)
        return signatures.hash_cc(digest, self._transaction_id)

    def _prepare(self, signed: bytes, hash_cc: bytes | None, certificate: bytes) -> bytes:
        code = b"" if hash_cc is None else tlv.encode(OCTET_STRING, hash_cc)
        response = self._es10.send(tlv.encode(TAG_PREPARE_DOWNLOAD, signed, code, certificate))
        decoded = decode_prepare_download_response(response)
        if isinstance(decoded, PrepareDownloadError):
            reason = _name(DownloadError, decoded.error_code)
            self._inform(self._es9.get_bound_profile_package, response)
            raise DownloadRefusedError(
                f"the card does not prepare the download: {reason}", error=decoded.error_code
            )
        return response

    def _load(self, package: bytes, metadata: ProfileMetadata) -> DownloadedProfile:
        try:
            answer = self._load_units(package)
        except (RspError, CardError) as error:
            raise self._cancelled(CancelReason.LOAD_BPP_EXECUTION_ERROR, error.message) from error
        data = InstallResult.decode(answer).data
        if isinstance(data.final_result, InstallFailure):
            reason = _name(InstallError, data.final_result.reason) + _element_at_fault(data.final_result)
            raise DownloadRefusedError(
                f"the card did not install the profile: {reason}", error=data.final_result.reason
            )
        if data.notification.iccid is None:
            raise DownloadRefusedError("the card does not say which profile it installed")
        self._tell("the profile is on the card")
        return DownloadedProfile(Iccid.from_bytes(data.notification.iccid), metadata, answer)

    def _load_units(self, package: bytes) -> bytes:
        """Give the package to the card, segment by segment (5.7.6).

        The segments are, in this order: the request to open a secure channel, with the server's one-time public
        key; encrypted or MACed commands that configure the ISD-P and store the metadata; if the server uses them,
        the replacement session keys; and then the profile's elements, encrypted and MACed. The card answers a
        segment with nothing while all is well. It answers its signed result to the last segment, or to the one that
        fails.
        """
        pieces = list(units(package))
        for number, piece in enumerate(pieces, start=1):
            self._tell(f"loading {number} of {len(pieces)}")
            answer = self._es10.send(piece)
            if answer:
                return answer
        raise CardError("the card did not say whether it installed the profile")

    def _cancelled(self, reason: CancelReason, message: str) -> DownloadRefusedError:
        self._cancel(reason)
        return DownloadRefusedError(message)

    def _cancel(self, reason: CancelReason) -> None:
        try:
            response = self._es10.send(CancelSessionRequest(self._transaction_id, reason).encode())
        except CardError as error:
            self._tell(f"the card does not sign the cancellation: {error.message}")
            return
        self._inform(self._es9.cancel_session, response)

    def _inform(self, function: Callable[[str, bytes, bytes], object], response: bytes) -> None:
        """Inform the server of a failure; its answer is only shown."""
        try:
            function(self._address, self._transaction_id, response)
        except (Es9RefusedError, Es9UnreachableError) as error:
            self._tell(f"the server answered: {error.message}")


def _element_at_fault(failure: InstallFailure) -> str:
    """Describe which profile element failed, if the card's EUICCResponse names one; else return an empty text."""
    try:
        statuses = decode_euicc_response(failure.sima_response or b"")
    except RspError:
        return ""
    said = [
        _name(PeStatus, status) + ("" if number is None else f" in element {number}") for status, number in statuses
    ]
    return f" ({', '.join(said)})" if said else ""


def _name(
    kind: type[AuthenticateError] | type[DownloadError] | type[InstallError] | type[PeStatus], code: int
) -> str:
    try:
        return kind(code).name.lower().replace("_", " ")
    except ValueError:
        return f"error {code}"
