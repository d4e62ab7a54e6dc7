"""Bind a profile to a card: getBoundProfilePackage on an order and its RspSession, in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kswifi.database.engine import transaction_instant
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import Point, report_progress
from kswifi.esim.smdp import binding_keys
from kswifi.esim.smdp.orders import move_order
from kswifi.esim.smdp.packages import Packages, SourceOfProfile
from kswifi.esim.smdp.rsp_model import ProfileOrder, RspSessionEvent, RspSessionState, SmdpRules
from kswifi.esim.smdp.rsp_store import RspSession, find_rsp_session, move_rsp_session
from kswifi.rsp import binding, curves, smdp
from kswifi.rsp.messages.download import EuiccSigned2, PrepareDownloadError
from kswifi.rsp.pki import SmdpIdentity
from kswifi.rsp.status_codes import RspRefusedError, Status


@dataclass(frozen=True, slots=True)
class ToBind:
    """All inputs of a bound profile package; making the package needs no transaction."""

    card: binding.CardBinding
    identity: SmdpIdentity
    keys: binding_keys.BindingKeys
    metadata: bytes
    source: SourceOfProfile

    def package(self) -> bytes:
        """Return the bound profile package."""
        return binding.bind_profile(
            self.source.package(),
            self.metadata,
            card=self.card,
            one_time_key=self.keys.one_time_key,
            signing_key=self.identity.pb.key,
            protection_keys=self.keys.protection_keys,
        )


class Binder:
    """Bind orders to authenticated cards. ``identities`` are the server's identities by CI key identifier."""

    def __init__(
        self,
        identities: Mapping[bytes, SmdpIdentity],
        vault: SubscriberVault,
        packages: Packages,
        rules: SmdpRules,
        host_id: bytes,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._identities = identities
        self._vault = vault
        self._packages = packages
        self._rules = rules
        self._host_id = host_id
        self._random_bytes = random_bytes

    def bind(self, connection: Connection, transaction_id: bytes, response: bytes) -> ToBind | RspRefusedError:
        """Check the card's one-time key, advance the order, and store the keys of this binding.

        A refusal is returned if it has counted or reported something, so that the transaction is committed;
        any other refusal is raised.

        Raises:
            RspRefusedError: the transaction, the signature or the order is not acceptable.
            RspDecodeError: ``response`` is not a PrepareDownloadResponse.
        """
        opened, order, identity = self._open_rsp_session(connection, transaction_id)
        try:
            answer = smdp.check_prepare_download(
                response,
                prepared=opened.prepared(identity.pb.certificate.raw),
                card_key=opened.card_key,
                confirmation_code_digest=order.confirmation_code_digest,
            )
        except RspRefusedError as refused:
            if refused.status is Status.CONFIRMATION_CODE_REFUSED:
                return self._count_wrong_code(connection, opened, order, refused)
            raise
        if isinstance(answer, PrepareDownloadError):
            move_rsp_session(connection, opened, RspSessionEvent.FAIL)
            words = f"the card prepared no download: {answer.error_code}"
            return _report_no_package(connection, opened, order, RspRefusedError(Status.EUICC_REFUSED, words))
        try:
            keys = self._keys_for(connection, opened, order, identity, answer)
        except RspRefusedError as refused:  # raised before anything was written
            return _report_no_package(connection, opened, order, refused)
        eid = opened.eid
        return ToBind(
            binding.CardBinding(transaction_id, bytes.fromhex(eid), answer.euicc_otpk, self._host_id),
            identity,
            keys,
            self._packages.metadata(connection, order),
            self._packages.source(connection, order),
        )

    def _open_rsp_session(
        self, connection: Connection, transaction_id: bytes
    ) -> tuple[RspSession, ProfileOrder, SmdpIdentity]:
        known = find_rsp_session(connection, transaction_id)
        if known is None:
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        opened, order = known
        identity = self._identities.get(opened.identity)
        age = transaction_instant(connection) - opened.created_at
        ended = opened.state not in (RspSessionState.AUTHENTICATED, RspSessionState.BOUND)
        if identity is None or ended or age > self._rules.rsp_session_life:
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        return opened, order, identity

    def _count_wrong_code(
        self, connection: Connection, opened: RspSession, order: ProfileOrder, refused: RspRefusedError
    ) -> RspRefusedError:
        """Count a wrong confirmation code; the last permitted attempt ends the order (SGP.22, 5.6.2)."""
        failures = order.confirmation_code_failures + 1
        if failures < self._rules.confirmation_code_tries:
            move_order(connection, order, confirmation_code_failures=failures)
            self._report_wrong_code(connection, opened, order, refused, failures)
            return refused
        exceeded = RspRefusedError(Status.CONFIRMATION_CODE_RETRIES_EXCEEDED)
        move_order(
            connection,
            order,
            ProfileEvent.FAIL,
            confirmation_code_failures=failures,
            state_reason=exceeded.message,
        )
        move_rsp_session(connection, opened, RspSessionEvent.FAIL)
        self._report_wrong_code(connection, opened, order, exceeded, failures)
        return exceeded

    @staticmethod
    def _report_wrong_code(
        connection: Connection, opened: RspSession, order: ProfileOrder, refused: RspRefusedError, failures: int
    ) -> None:
        point, transaction_id = Point.CONFIRMATION_FAILURE, opened.transaction_id
        report_progress(connection, order, point, opened.eid, transaction_id, refused, again=failures)

    def _keys_for(
        self,
        connection: Connection,
        opened: RspSession,
        order: ProfileOrder,
        identity: SmdpIdentity,
        answer: EuiccSigned2,
    ) -> binding_keys.BindingKeys:
        """Return the binding keys, and advance the order and the RspSession.

        A retry with the card's same one-time key gets the keys of the first try (SGP.22, 5.6.2).

        Raises:
            RspRefusedError: the order has ended, belongs to another card, or was bound too often.
        """
        curve = identity.pb.certificate.curve
        curves.public_key_from_point(curve, answer.euicc_otpk)  # refuse an invalid point before anything is written
        if order.eid not in (None, opened.eid):
            raise RspRefusedError(Status.EID_MISMATCH)
        if order.profile_state not in (ProfileState.RELEASED, ProfileState.DOWNLOADED):
            raise RspRefusedError(Status.BOUND_PACKAGE_UNAVAILABLE, f"the profile is {order.profile_state}")
        events = (ProfileEvent.DOWNLOAD,) if order.profile_state is ProfileState.RELEASED else ()
        owner = order.order_id.encode()
        again = order.bound_otpk == answer.euicc_otpk and order.bound_identity == opened.identity
        if again and order.sealed_binding is not None:
            keys = binding_keys.decode(curve, self._vault.open_octets(owner, order.sealed_binding))
            move_order(connection, order, *events)
        elif order.downloads >= self._rules.downloads:
            raise RspRefusedError(Status.BOUND_PACKAGE_UNAVAILABLE)
        else:
            random = self._random_bytes if self._rules.random_protection_keys else None
            keys = binding_keys.new(curve, random)
            move_order(
                connection,
                order,
                *events,
                eid=opened.eid,
                downloads=order.downloads + 1,
                bound_otpk=answer.euicc_otpk,
                bound_identity=opened.identity,
                sealed_binding=self._vault.seal_octets(owner, binding_keys.encode(keys)),
            )
        if opened.state is RspSessionState.AUTHENTICATED:
            move_rsp_session(connection, opened, RspSessionEvent.BIND, euicc_otpk=answer.euicc_otpk)
        report_progress(connection, order, Point.BPP_DOWNLOAD, opened.eid, opened.transaction_id)
        return keys


def _report_no_package(
    connection: Connection, opened: RspSession, order: ProfileOrder, refused: RspRefusedError
) -> RspRefusedError:
    """Report to the operator that a card did not get the package, and why; return the refusal."""
    report_progress(connection, order, Point.BPP_DOWNLOAD, opened.eid, opened.transaction_id, refused)
    return refused
