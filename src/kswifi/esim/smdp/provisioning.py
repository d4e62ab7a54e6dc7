"""The five ES9+ functions of the SM-DP+: they store RspSessions and orders around the pure code of ``rsp.smdp``.

No state is kept in memory between two requests. After initiateAuthentication the transaction exists only as
its ticket. Once the card has authenticated, it is a row that is committed before the answer is sent. So a
restart never loses a download.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import Database, after_commit, transaction_instant
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import ProfileEvent, ProfileState
from kswifi.esim.operators.download_progress import CANCELLED, Point, report_progress
from kswifi.esim.smdp.binder import Binder
from kswifi.esim.smdp.orders import (
    NewOrder,
    move_order,
    open_order_of_card,
    order_by_matching_id,
    place_order,
    settle_line,
)
from kswifi.esim.smdp.packages import Packages, StockedPackage
from kswifi.esim.smdp.rsp_model import (
    KEEPS_THE_ORDER,
    ProfileOrder,
    RspSessionEvent,
    RspSessionState,
    SmdpRules,
    check_card,
    check_order,
)
from kswifi.esim.smdp.rsp_store import (
    RspSession,
    add_rsp_session,
    find_rsp_session,
    move_rsp_session,
    prune_rsp_sessions,
)
from kswifi.esim.smdp.tickets import NONCE_OCTETS, Tickets
from kswifi.kernel.clock import Clock
from kswifi.kernel.numbers import Eid
from kswifi.rsp import curves, smdp
from kswifi.rsp.messages.authentication import (
    AuthenticateResponseError,
    AuthenticateResponseOk,
    decode_authenticate_server_response,
)
from kswifi.rsp.messages.download import CancelSessionError
from kswifi.rsp.messages.euicc_info import EuiccInfo1
from kswifi.rsp.pki import SmdpIdentity
from kswifi.rsp.smdp import AuthenticatedCard, InitiatedAuthentication, PreparedDownload
from kswifi.rsp.status_codes import RspRefusedError, Status
from kswifi.rsp.trust import Trust

_log = structlog.get_logger(__name__)

_READY: Final = (ProfileEvent.LINK, ProfileEvent.CONFIRM, ProfileEvent.RELEASE)


@dataclass(frozen=True, slots=True)
class DownloadOffered:
    """The answer to authenticateClient."""

    metadata: bytes
    prepared: PreparedDownload


class Provisioning:
    """An SM-DP+ under one or more CIs. ``addresses`` are its own; profiles name the first one."""

    def __init__(
        self,
        database: Database,
        vault: SubscriberVault,
        *,
        identities: Iterable[SmdpIdentity],
        trust: Trust,
        packages: Packages,
        addresses: tuple[str, ...],
        rules: SmdpRules | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._vault = vault
        self._identities = {identity.issuer_key_id: identity for identity in identities}
        self._trust = trust
        self._packages = packages
        self._addresses = {address.lower(): address for address in addresses}
        self._rules = rules or SmdpRules()
        self._random_bytes = random_bytes
        host_id = addresses[0].encode()[:16]
        self._binder = Binder(self._identities, vault, packages, self._rules, host_id, random_bytes)
        self._tickets = Tickets(vault.derived_key("rsp transaction tickets"), self._rules.ticket_life)

    @property
    def database(self) -> Database:
        """The database of orders and RspSessions."""
        return self._database

    @property
    def _clock(self) -> Clock:
        return self._database.clock

    def initiate_authentication(
        self, euicc_challenge: bytes, euicc_info1: bytes, smdp_address: str
    ) -> InitiatedAuthentication:
        """Begin a transaction (SGP.22, 5.6.1).

        Raises:
            RspRefusedError: the address, the version or the CI keys are not acceptable.
            RspDecodeError: the input is not a challenge and an EUICCInfo1.
        """
        address = self._addresses.get(smdp_address.lower())
        if address is None:
            raise RspRefusedError(Status.SMDP_ADDRESS_INVALID)
        info1 = EuiccInfo1.decode(euicc_info1)
        ci_key, identity = smdp.choose_identity(info1, self._identities.values(), self._trust)
        ticket = self._tickets.issue(
            ci_key=ci_key,
            identity=identity.issuer_key_id,
            address=address,
            at=self._clock.now(),
            nonce=self._random_bytes(NONCE_OCTETS),
        )
        return smdp.initiate_authentication(
            euicc_challenge=euicc_challenge,
            euicc_info1=info1,
            requested_address=address,
            own_address=address,
            identities=(identity,),
            trust=self._trust,
            transaction_id=ticket.transaction_id,
            server_challenge=ticket.server_challenge,
        )

    async def authenticate_client(self, transaction_id: bytes, response: bytes) -> DownloadOffered:
        """Authenticate the card and offer it the profile of its order (SGP.22, 5.6.3).

        Idempotent: a repeated response gets the same answer.

        Raises:
            RspRefusedError: the transaction, the card or the order is not acceptable.
            RspDecodeError: ``response`` is not an AuthenticateServerResponse.
        """
        now = self._clock.now()
        if not self._tickets.is_ours(transaction_id, now):
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        answer = decode_authenticate_server_response(response)
        if answer.transaction_id != transaction_id:
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        if isinstance(answer, AuthenticateResponseError):
            _log.info("card_refused_server", transaction_id=transaction_id.hex(), error=answer.error_code)
            raise RspRefusedError(Status.EUICC_REFUSED, f"the card does not trust the server: {answer.error_code}")
        card, identity = self._check_card(answer)
        digest = sha256(response).digest()
        offered = await self._database.write(
            lambda connection: self._offer(connection, transaction_id, card, identity, digest)
        )
        if isinstance(offered, RspRefusedError):  # returned, not raised: what it reported was committed
            raise offered
        return offered

    async def get_bound_profile_package(self, transaction_id: bytes, response: bytes) -> bytes:
        """Bind the profile to the card (SGP.22, 5.6.2). A retry with the same one-time key gets the same keys.

        Raises:
            RspRefusedError: the transaction, the signature, the confirmation code or the order is not acceptable.
            RspDecodeError: ``response`` is not a PrepareDownloadResponse.
        """
        bound = await self._database.write(
            lambda connection: self._binder.bind(connection, transaction_id, response)
        )
        if isinstance(bound, RspRefusedError):  # returned, not raised: what it counted was committed
            raise bound
        return bound.package()

    async def cancel_session(self, transaction_id: bytes, response: bytes) -> None:
        """Cancel a transaction as signed by the card (SGP.22, 5.6.5).

        Raises:
            RspRefusedError: the transaction, the signature or the object identifier is not acceptable.
            RspDecodeError: ``response`` is not a CancelSessionResponse.
        """
        await self._database.write(lambda connection: self._cancel(connection, transaction_id, response))

    async def prune(self) -> int:
        """Delete RspSessions too old for an install result; return how many. A housekeeping job."""
        before = self._clock.now() - self._rules.result_life
        return await self._database.write(lambda connection: prune_rsp_sessions(connection, before), alone=True)

    def _check_card(self, answer: AuthenticateResponseOk) -> tuple[AuthenticatedCard, SmdpIdentity]:
        signed = answer.euicc_signed1
        candidates = [
            (ci_key, identity, address)
            for ci_key in self._trust.issuer_key_ids
            for identity in self._identities
            for address in self._addresses.values()
        ]
        ticket = self._tickets.recognise(signed.transaction_id, signed.server_challenge, candidates)
        if ticket is None:
            raise RspRefusedError(Status.EUICC_SIGNATURE_INVALID, "the card signed another challenge")
        card = smdp.check_card(answer, begun=ticket, trust=self._trust, at=self._clock.now())
        return card, self._identities[ticket.identity]

    def _offer(
        self,
        connection: Connection,
        transaction_id: bytes,
        card: AuthenticatedCard,
        identity: SmdpIdentity,
        digest: bytes,
    ) -> DownloadOffered | RspRefusedError:
        """Find the card's order and store the RspSession; return a refusal that was reported to the operator."""
        certificate = identity.pb.certificate.raw
        known = find_rsp_session(connection, transaction_id)
        if known is not None:
            opened, order = known
            if opened.request_digest != digest or opened.state is not RspSessionState.AUTHENTICATED:
                raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
            return DownloadOffered(self._packages.metadata(connection, order), opened.prepared(certificate))
        eid, info2 = card.chain.eid, card.signed.euicc_info2
        order = self._order_for(connection, card.signed.ctx_params1.matching_id, eid)
        try:
            check_order(order, eid, self._rules, transaction_instant(connection))
            check_card(self._packages.needs(connection, order), info2)
        except RspRefusedError as refused:
            report_progress(connection, order, Point.ELIGIBILITY, eid, transaction_id, refused)
            return refused
        report_progress(connection, order, Point.ELIGIBILITY, eid, transaction_id)
        metadata = self._packages.metadata(connection, order)
        bound_before = order.eid == eid and order.bound_identity == identity.issuer_key_id
        prepared = smdp.prepare_download(
            identity,
            transaction_id,
            euicc_signature1=card.signature,
            cc_required=order.confirmation_code_digest is not None,
            bpp_euicc_otpk=order.bound_otpk if bound_before else None,
        )
        key = card.chain.euicc
        opened = RspSession(
            transaction_id=transaction_id,
            state=RspSessionState.AUTHENTICATED,
            eid=eid,
            card_curve=key.curve,
            card_point=curves.point_octets(key.public_key),
            identity=identity.issuer_key_id,
            request_digest=digest,
            smdp_signed2=prepared.smdp_signed2.raw,
            smdp_signature2=prepared.smdp_signature2,
            euicc_otpk=None,
            created_at=transaction_instant(connection),
        )
        add_rsp_session(connection, opened, order.order_id)
        return DownloadOffered(metadata, prepared)

    def _order_for(self, connection: Connection, matching_id: str | None, eid: Eid) -> ProfileOrder:
        """Return the order with a MatchingID; without one, the order that waits for this card (SGP.22, 5.6.3)."""
        if not matching_id:
            order = open_order_of_card(connection, eid)
        elif (stocked := self._packages.stocked(matching_id)) is not None:
            order = self._order_from_stock(connection, stocked, eid)
        else:
            order = order_by_matching_id(connection, matching_id)
        if order is None:
            raise RspRefusedError(Status.MATCHING_ID_REFUSED)
        return order

    def _order_from_stock(self, connection: Connection, stocked: StockedPackage, eid: Eid) -> ProfileOrder:
        """Return this card's order of a package that every card may order; create one if the last has ended."""
        order = open_order_of_card(connection, eid, stocked.name)
        if order is not None and order.downloads < self._rules.downloads:
            return order
        return place_order(connection, NewOrder(iccid=stocked.iccid, package_name=stocked.name, eid=eid), *_READY)

    def _cancel(self, connection: Connection, transaction_id: bytes, response: bytes) -> None:
        known = find_rsp_session(connection, transaction_id)
        identity = self._identities.get(known[0].identity) if known is not None else None
        if known is None or identity is None:
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        opened, order = known
        reason = smdp.check_cancel_session(
            response, transaction_id=transaction_id, smdp_oid=identity.oid, card_key=opened.card_key
        )
        if isinstance(reason, CancelSessionError):
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN, f"the card cancelled nothing: {reason.error_code}")
        if opened.state in (RspSessionState.CANCELLED, RspSessionState.FAILED):
            return  # a repeated cancellation, or the transaction has ended
        if opened.state is RspSessionState.INSTALLED:
            raise RspRefusedError(Status.TRANSACTION_UNKNOWN)
        move_rsp_session(connection, opened, RspSessionEvent.CANCEL)
        if reason not in KEEPS_THE_ORDER and order.profile_state in (
            ProfileState.RELEASED,
            ProfileState.DOWNLOADED,
        ):
            words = f"cancelled by the device, reason {reason}"
            move_order(connection, order, ProfileEvent.FAIL, state_reason=words)
            settle_line(connection, order, transaction_id, words)
            cancelled = RspRefusedError(CANCELLED.get(reason, Status.CANCELLED_UNDEFINED), words)
            report_progress(connection, order, Point.BPP_DOWNLOAD, opened.eid, transaction_id, cancelled)
        after_commit(
            connection,
            partial(_log.info, "rsp_session_cancelled", transaction_id=transaction_id.hex(), reason=reason),
        )
