"""LoadBoundProfilePackage: open a package as it arrives; install it wholly or not at all (SGP.22, 2.5 and 5.7.6).

The sequence of units is BF23 (InitialiseSecureChannel: key agreement), A0 (ConfigureISDP), A1 with 88
segments (StoreMetadata), optionally A2 (ReplaceSessionKeys) and A3 with 86 segments (profile elements). Each
unit is one STORE DATA command. A failure is reported once, in a signed ProfileInstallationResult that the
card stores as a notification. A download that ends by power loss or a new challenge leaves no profile and no
notification, so that it can be tried again with the same one-time key.
"""

from typing import Final, NoReturn

from kswifi.euicc.apdu import Status, StatusError
from kswifi.euicc.channel import CardSession
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.es10.notifications import note, note_install_result
from kswifi.euicc.es10.transaction import Authenticated, Loading, RspTransaction
from kswifi.euicc.profiles.installing import new_profile
from kswifi.euicc.profiles.policy import class_of, may_be_installed
from kswifi.euicc.state import Profile
from kswifi.rsp import binding, tlv
from kswifi.rsp.errors import BoundProfileRefusedError, RspDecodeError
from kswifi.rsp.messages.bound_profile_package import TAG_BOUND_PROFILE_PACKAGE
from kswifi.rsp.messages.metadata import NotificationEvent, ProfileClass, ProfileMetadata
from kswifi.rsp.messages.notifications import BppCommand, InstallError, InstallFailure, InstallSuccess
from kswifi.rsp.saip.package import PACKAGE_MAX_OCTETS
from kswifi.rsp.saip.response import PeStatus, encode_euicc_response


class _InstallFailedError(Exception):
    """The package was decrypted completely, but its profile is refused."""

    def __init__(self, reason: InstallError, response: bytes) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.response = response


def is_loading(session: CardSession) -> bool:
    """Tell whether a package is being loaded, so that an unknown tag is a unit of it."""
    return session.rsp is not None and session.rsp.loading is not None


def load(session: CardSession, unit: bytes) -> bytes:
    """Process the next unit of a package; the answer is empty until the last unit or a failure.

    Raises:
        StatusError: no download is prepared, or the result could not be stored.
    """
    transaction = session.rsp
    if transaction is None or transaction.secrets is None or transaction.authenticated is None:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if transaction.loading is None or tlv.read_header(unit)[0] == TAG_BOUND_PROFILE_PACKAGE:
        transaction.loading = Loading(binding.PackageOpener(transaction.secrets))
    loading = transaction.loading
    try:
        profile = _take(session, transaction.authenticated, loading, unit)
    except BoundProfileRefusedError as refusal:
        failure = InstallFailure(refusal.command, refusal.reason)
    except _InstallFailedError as refusal:
        failure = InstallFailure(BppCommand.LOAD_PROFILE_ELEMENTS, refusal.reason, refusal.response)
    else:
        return b"" if profile is None else _report_success(session, transaction.authenticated, profile)
    return _report_failure(session, transaction, loading.iccid, failure)


def _take(session: CardSession, authenticated: Authenticated, loading: Loading, unit: bytes) -> Profile | None:
    for event in loading.opener.feed(unit):
        match event:
            case binding.MetadataStored(request):
                _take_metadata(session, loading, request)
            case binding.ProfileOctets(octets):
                loading.package += octets
                if len(loading.package) > PACKAGE_MAX_OCTETS:
                    raise _failed(InstallError.INSUFFICIENT_MEMORY, PeStatus.NOT_ENOUGH_MEMORY)
            case binding.PackageComplete():
                return _install(session, authenticated, loading)
    return None


def _take_metadata(session: CardSession, loading: Loading, request: bytes) -> None:
    """Check StoreMetadata (5.5.3) before the profile elements arrive."""
    try:
        metadata = ProfileMetadata.decode(request)
    except RspDecodeError as error:
        _refuse_metadata(error.message, InstallError.INCORRECT_INPUT_VALUES)
    loading.metadata, loading.iccid = request, metadata.iccid
    if class_of(metadata) not in (ProfileClass.OPERATIONAL, ProfileClass.TEST):
        _refuse_metadata("only operational and test profiles", InstallError.UNSUPPORTED_PROFILE_CLASS)
    if any(profile.iccid == metadata.iccid for profile in session.state.profiles):
        _refuse_metadata("the card has this profile already", InstallError.ICCID_ALREADY_EXISTS)
    if not may_be_installed(metadata, session.state.profiles):
        _refuse_metadata("the policy rules are not authorised", InstallError.POLICY_RULES_NOT_ALLOWED)


def _refuse_metadata(message: str, reason: InstallError) -> NoReturn:
    raise BoundProfileRefusedError(message, command=BppCommand.STORE_METADATA, reason=reason)


_REASONS: Final = {
    "already_installed": InstallError.ICCID_ALREADY_EXISTS,
    "no_memory": InstallError.INSUFFICIENT_MEMORY,
}


def _install(session: CardSession, authenticated: Authenticated, loading: Loading) -> Profile:
    """Build the profile and add it to the card's state; the caller commits it."""
    try:
        profile = new_profile(
            session.state,
            bytes(loading.package),
            metadata=loading.metadata,
            issuer_key_id=authenticated.identity.issuer_key_id,
        )
    except ProfileRefusedError as refusal:
        reason = _REASONS.get(refusal.reason, InstallError.PROFILE_ELEMENT_PROCESSING_ERROR)
        raise _failed(reason, refusal.status, refusal.element) from refusal
    if profile.iccid != loading.iccid:
        raise _failed(InstallError.ICCID_MISMATCH, PeStatus.INVALID_PARAMETER)
    session.state.profiles.append(profile)
    session.state.next_isdp += 1
    return profile


def _failed(reason: InstallError, status: PeStatus, element: int | None = None) -> _InstallFailedError:
    return _InstallFailedError(reason, encode_euicc_response(status, element))


def _report_success(session: CardSession, authenticated: Authenticated, profile: Profile) -> bytes:
    """Sign the result and commit it together with the profile, in one write."""
    result = InstallSuccess(profile.isdp_aid, encode_euicc_response(PeStatus.OK))
    octets = _keep_result(session, authenticated, profile.iccid, result)
    note(session.state, profile, NotificationEvent.INSTALL)
    session.state.one_time_key = b""
    session.commit()
    session.rsp = None
    return octets


def _report_failure(
    session: CardSession, transaction: RspTransaction, iccid: bytes | None, failure: InstallFailure
) -> bytes:
    """Sign and store the failure; the transaction stays open, so that the LPA can cancel it."""
    if transaction.authenticated is None:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    transaction.loading = transaction.secrets = None
    octets = _keep_result(session, transaction.authenticated, iccid, failure)
    session.state.one_time_key = b""
    session.commit()
    return octets


def _keep_result(
    session: CardSession,
    authenticated: Authenticated,
    iccid: bytes | None,
    result: InstallSuccess | InstallFailure,
) -> bytes:
    return note_install_result(
        session.state,
        authenticated.identity,
        transaction_id=authenticated.transaction_id,
        address=authenticated.server_address,
        smdp_oid=authenticated.smdp_oid,
        iccid=iccid,
        final_result=result,
    )
