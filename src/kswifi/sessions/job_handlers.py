"""Execute the outbox entries of sessions.

The id of every ledger command is derived from the session or from the number of the owner's request. An entry that
is executed twice therefore has its effect once. If the ledger is busy or closed the result is Unknown, and the
worker executes the entry again.
"""

import asyncio
from collections.abc import Mapping

from sqlalchemy import Connection

from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.esim.jobs import PROFILE_SETTLED
from kswifi.esim.lines.service import card_of, find_esim, note_pause_ended
from kswifi.esim.model import ESim, LineKind, LineSettings, ProfileState
from kswifi.esim.ports import ProfileDelivery, StorageProof
from kswifi.free_data.service import FreeData
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.errors import KswifiError
from kswifi.ledger.commands import (
    Command,
    ContinueWithNext,
    Credit,
    Disburse,
    EndHold,
    Expire,
    Freeze,
    HoldWallet,
    LiftHold,
    OpenWallet,
    OrderWallet,
    Outcome,
    OutcomeCode,
    PauseUntil,
    ProveStorage,
    Revoke,
)
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.ledger.ports import LedgerCommands
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.sessions import jobs
from kswifi.sessions.card import slots
from kswifi.sessions.card.packets import CARD_FULL, note_proof
from kswifi.sessions.contents import sign_line_package, sign_package, sign_session_record
from kswifi.sessions.ending import ON_THE_CARD, end_unused_session, may_be_spent
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionEvent, SessionSource, SessionState, allows
from kswifi.sessions.orders import package_digest
from kswifi.sessions.ports import IncomingOctets
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.store import (
    find_session,
    get_record,
    in_state,
    put_package,
    sessions_on,
)
from kswifi.sessions.supplied import buy_for_session
from kswifi.sessions.transitions import move_session
from kswifi.supply.lines import SuppliedLines, is_bought


class SessionHandlers:
    """Executes the outbox entries of sessions; the worker gets them from ``handlers()``."""

    def __init__(  # noqa: PLR0913  # the parts, and the choices
        self,
        database: Database,
        ledger: LedgerCommands,
        catalogue: Catalogue,
        signing_key: SessionSigningKey,
        line: LineSettings,
        delivery: ProfileDelivery,
        free_data: FreeData,
        *,
        lines: SuppliedLines | None = None,
        incoming: IncomingOctets | None = None,
        takes_provider_status: bool = False,
        proof_ends_exhaustion: bool = True,
    ) -> None:
        """Store the parts, and two choices of the operator.

        Args:
            database: the control database.
            ledger: receives the commands.
            catalogue: the offers.
            signing_key: signs records and packages.
            line: the access point settings that packages contain.
            delivery: makes profiles ready for cards.
            free_data: the rules of free sessions.
            lines: the lines of data providers; None without one.
            incoming: brings octets of other sessions; without it there are no sessions that wait for some.
            takes_provider_status: accept "installed" from an external SM-DP+ as storage proof (StorageProof).
            proof_ends_exhaustion: a card's proof lifts the hold of a line that was exhausted before the order.
        """
        self._proof_ends_exhaustion = proof_ends_exhaustion
        self._database = database
        self._lines = lines
        self._takes_provider_status = takes_provider_status
        self._ledger = ledger
        self._catalogue = catalogue
        self._signing_key = signing_key
        self._line = line
        self._delivery = delivery
        self._free_data = free_data
        self._incoming = incoming
        # One change of a line at a time, so that an older request is never executed after a newer one.
        self._line_turn = asyncio.Lock()

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind of entry."""
        return {
            jobs.PREPARE: self.prepare,
            jobs.DELIVER: self.deliver,
            jobs.DISBURSE: self.disburse,
            jobs.PROVE_STORAGE: self.prove_storage,
            jobs.REVOKE: self.revoke,
            jobs.EXPIRE: self.expire,
            jobs.LINE: self.apply_wish,
            jobs.FREEZE: self.freeze,
            jobs.CUT_OFF: self.cut_off,
            jobs.ARRANGE: self.arrange,
            jobs.END_HOLD: self.end_hold,
            PROFILE_SETTLED: self.settle_profile,
        }

    async def prepare(self, entry: Entry) -> JobResult:
        """Open the wallet, credit the allowance, sign record and package, and move the session to ``packaged``."""
        session, esim = await self._read(entry)
        if session.state is not SessionState.ORDERED:
            return Done()
        octets, withheld_octets = session.allowance_octets, 0
        if octets is not None and session.source is not SessionSource.ORDER:
            # The others are received once the card has proved its storage; these are released in tranches.
            octets = withheld_octets = octets - session.received_octets
        else:
            withheld_octets = await self._free_data.withheld_octets(session.session_id)
        for command in (
            OpenWallet(f"open:{esim.esim_id}", esim.esim_id, esim.network_name),
            Credit(
                f"credit:{session.session_id}",
                esim.esim_id,
                session.session_id,
                octets,
                unix_seconds(session.valid_until),
                withheld_octets,
            ),
        ):
            outcome = await self._command(command)
            if isinstance(outcome, Unknown):
                return outcome
            if outcome.code is OutcomeCode.EXPIRED:
                return Done()  # the entry was executed after the validity; ``expire`` is due and ends the session
            if outcome.code is not OutcomeCode.DONE:
                return await self._fail(session, f"the ledger refused it: {outcome.code}")
        record, package = self._sign(session, esim)

        def prepared(connection: Connection) -> None:
            current = find_session(connection, session.session_id)
            if current.state is SessionState.ORDERED:
                put_package(connection, current.session_id, package)
                move_session(
                    connection,
                    current,
                    SessionEvent.PREPARED,
                    package_sha256=package_digest(package),
                    package_octets=len(package),
                    session_record=record,
                )
            elif current.state not in LIVE_STATES:
                # The session ended while this step ran: revoke the account that was just credited.
                jobs.ask_to_revoke(connection, current, "ended while it was prepared")

        await self._database.write(prepared)
        return Done()

    def _sign(self, session: InternetSession, esim: ESim) -> tuple[bytes | None, bytes]:
        """Return the signed record (None for a data provider's line) and package of a session."""
        offer, zone = self._catalogue.offer(session.offer_id), self._free_data.rules.zone
        if not esim.is_card:
            return None, sign_line_package(session, esim, offer, self._signing_key, zone)
        record = sign_session_record(session, esim, self._signing_key)
        return record, sign_package(session, esim, offer, self._line, record, self._signing_key, zone)

    async def deliver(self, entry: Entry) -> JobResult:
        """Make the profile and the record ready for the card; fail the transfer if the delivery is refused."""
        session, esim = await self._read(entry)
        if session.state is not SessionState.TRANSFERRING:
            return Done()
        if not esim.is_card:
            return await self._order_bundle(session, esim)
        record = await self._database.read(lambda connection: get_record(connection, session.session_id))
        if record is None:
            return Refused("the session has no record")
        if esim.profile_state is ProfileState.INSTALLED:
            result: JobResult = await self._place(session, record)
        else:
            result = await self._delivery.deliver(esim.esim_id, record)
            if isinstance(result, Done) and esim.record_travels_apart:
                result = await self._place(session, record)
        if isinstance(result, Refused):
            await self._fail_transfer(session, result.reason)
        return result

    async def _fail_transfer(self, session: InternetSession, reason: str) -> None:
        def failed(connection: Connection) -> None:
            current = find_session(connection, session.session_id)
            if allows(current.state, SessionEvent.TRANSFER_FAILED):
                move_session(connection, current, SessionEvent.TRANSFER_FAILED, reason)

        await self._database.write(failed)

    async def _order_bundle(self, session: InternetSession, esim: ESim) -> JobResult:
        """Buy the bundle of a provider's profile; portions of a line that the person has are bought on request."""
        if esim.kind is LineKind.OWN_LINE:
            return Done()
        if self._lines is None:
            return Unknown("no data provider is configured")
        lines = self._lines

        def order(connection: Connection) -> None:
            current = find_session(connection, session.session_id)
            if current.state is SessionState.TRANSFERRING and not is_bought(connection, current.session_id):
                buy_for_session(connection, lines, current)

        try:
            await self._database.write(order)
        except KswifiError as refused:
            await self._fail_transfer(session, refused.message)
            return Refused(refused.message)
        return Done()

    async def _place(self, session: InternetSession, record: bytes) -> JobResult:
        """Assign a record on a card that has its profile; secured packets then write it."""

        def place(connection: Connection) -> JobResult:
            number = slots.take_place(connection, session.esim_id, session.session_id, record)
            if number is None:
                return Refused(CARD_FULL)
            esim = find_esim(connection, session.esim_id)
            if esim.record_travels_apart and esim.profile_state is ProfileState.INSTALLED:
                self._take_provider_status(connection, find_session(connection, session.session_id))
            return Done()

        return await self._database.write(place)

    def _take_provider_status(self, connection: Connection, session: InternetSession) -> None:
        """Accept "installed" from an external SM-DP+ as storage proof, if the operator has enabled that."""
        transferring = session.state is SessionState.TRANSFERRING and session.storage_proof is None
        if self._takes_provider_status and transferring:
            note_proof(connection, session.session_id, StorageProof.PROVIDER_STATUS)

    async def settle_profile(self, entry: Entry) -> JobResult:
        """Apply the result of a profile installation: signed by the eUICC, or reported by an external SM-DP+.

        The record is then on the card as part of the profile, or follows in secured packets, or the transfer has
        failed.
        """
        failure, record_inside = entry.payload["failure"], entry.payload.get("record_inside", True)

        def settle(connection: Connection) -> None:
            on_it = sessions_on(connection, str(entry.payload["esim_id"]))
            session = in_state(on_it, SessionState.TRANSFERRING)
            if session is not None and may_be_spent(session):  # the card's own proof came first and stays valid
                session = None
            if failure is None and not record_inside:
                for earlier in (it for it in reversed(on_it) if it != session):
                    self._check_card_late(connection, earlier)
            if session is None:
                return
            if failure is not None:
                move_session(connection, session, SessionEvent.TRANSFER_FAILED, str(failure))
            elif (refused := self._card_refused(connection, session)) is not None:
                end_unused_session(connection, session, SessionEvent.FAILED, refused)
                jobs.ask_to_revoke(connection, session, "failed")
            elif not record_inside:
                self._take_provider_status(connection, session)
            else:
                note_proof(connection, session.session_id, StorageProof.INSTALL_RESULT)
                record = get_record(connection, session.session_id)
                if record is not None:
                    slots.note_installed(connection, session.esim_id, session.session_id, record)

        await self._database.write(settle)
        return Done()

    def _check_card_late(self, connection: Connection, session: InternetSession) -> None:
        """Apply the card's free-data limit to a session that was proved before the EID was known.

        An external SM-DP+ may report the EID later than the card's own proof. Revoke the session if the limit
        refuses it.
        """
        if self._card_refused(connection, session) is not None and may_be_spent(session):
            jobs.ask_to_revoke(connection, session, "the card has had its share")

    def _card_refused(self, connection: Connection, session: InternetSession) -> str | None:
        """Count a free session against its card's limit; return the reason if the limit refuses it.

        The EID of the card is known only once the profile is installed, so the order could not check this limit.
        """
        eid = card_of(connection, session.esim_id)
        if not session.free or session.allowance_octets is None or eid is None:
            return None
        octets = session.allowance_octets
        refused = self._free_data.take_card(connection, session.session_id, octets, eid)
        return None if refused is None else refused.message

    async def prove_storage(self, entry: Entry) -> JobResult:
        """Let the ledger spend a session with a verified proof; the projector then moves it to ``stored``."""
        session, esim = await self._read(entry)
        if session.storage_proof is None:
            return Refused("no proof was verified")
        if session.source is not SessionSource.ORDER and self._incoming is not None:
            received = await self._incoming.receive(session)
            if not isinstance(received, Done):
                return received
        # A data provider's line has no control-only access, on which its owner could lift the hold.
        by_card = session.storage_proof is not StorageProof.PROVIDER_STATUS or not esim.is_card
        ends_exhaustion = (self._proof_ends_exhaustion or not esim.is_card) and by_card and not esim.wants_pause
        ordered_at = unix_seconds(session.ordered_at) if ends_exhaustion else 0
        outcome = await self._command(
            ProveStorage(f"prove:{session.session_id}", session.session_id, str(session.storage_proof), ordered_at)
        )
        if isinstance(outcome, Unknown):
            return outcome
        return Done() if outcome.code is OutcomeCode.DONE else Refused(f"the ledger refused it: {outcome.code}")

    async def disburse(self, entry: Entry) -> JobResult:
        """Credit the released part of a free session. No effect if its account has ended."""
        session_id, octets = str(entry.payload["session_id"]), int(entry.payload["released_octets"])
        outcome = await self._command(Disburse(f"disburse:{session_id}:{octets}", session_id, octets))
        return outcome if isinstance(outcome, Unknown) else Done()

    async def revoke(self, entry: Entry) -> JobResult:
        """Revoke the session's account; the projector then ends the session if it has not ended yet."""
        session_id, reason = str(entry.payload["session_id"]), str(entry.payload["reason"])
        outcome = await self._command(Revoke(f"revoke:{session_id}", session_id, reason))
        # An unknown account is no error: it was never credited. If `prepare` credits it later, it revokes it too.
        return outcome if isinstance(outcome, Unknown) else Done()

    async def expire(self, entry: Entry) -> JobResult:
        """Expire the session's account; end a session here if the ledger has no account for it."""
        session, _ = await self._read(entry)
        if session.state not in LIVE_STATES:
            return Done()
        outcome = await self._command(Expire(f"expire:{session.session_id}", session.session_id))
        if isinstance(outcome, Unknown):
            return outcome
        if outcome.code is OutcomeCode.NOT_DUE:
            return Unknown("the ledger's clock is not there yet")
        if outcome.code is OutcomeCode.UNKNOWN_ACCOUNT:

            def end(connection: Connection) -> None:
                current = find_session(connection, session.session_id)
                if current.state in LIVE_STATES:
                    end_unused_session(connection, current, SessionEvent.EXPIRED, "its validity is over")

            await self._database.write(end)
        return Done()

    async def apply_wish(self, entry: Entry) -> JobResult:
        """Hold the wallet or lift its hold, as the owner requested last; older requests are skipped."""
        async with self._line_turn:

            def look(connection: Connection) -> tuple[ESim, slots.CardLine, list[str]]:
                esim = find_esim(connection, str(entry.payload["esim_id"]))
                line = slots.line_of(connection, esim.esim_id)
                usable = [it.session_id for it in sessions_on(connection, esim.esim_id) if it.state in ON_THE_CARD]
                return esim, line, usable

            esim, line, usable = await self._database.read(look)
            # Of several sessions the chosen one is next. Without a choice the ledger follows the order of use.
            chosen = line.chosen_session_id if line.chosen_session_id in usable else None
            if len(usable) == 1:
                chosen = usable[0]
            command: Command
            command_id = f"line:{esim.esim_id}:{esim.wish}"
            if esim.wants_pause and esim.pause_ends_at is not None:
                command = PauseUntil(command_id, esim.esim_id, unix_seconds(esim.pause_ends_at))
            elif esim.wants_pause:
                command = HoldWallet(command_id, esim.esim_id, "paused")
            else:
                command = LiftHold(command_id, esim.esim_id, chosen)
            outcome = await self._command(command)
        if isinstance(outcome, Unknown):
            return outcome
        ends_at = esim.pause_ends_at
        if outcome.code is OutcomeCode.EXPIRED and ends_at is not None:
            await self._database.write(lambda connection: note_pause_ended(connection, esim.esim_id, ends_at))
            return Done()
        return Done() if outcome.code is OutcomeCode.DONE else Refused(f"the ledger refused it: {outcome.code}")

    async def end_hold(self, entry: Entry) -> JobResult:
        """End the hold of a line for a reason, if it still has this end; other reasons stay."""
        esim_id, reason, ends_at = entry.payload["esim_id"], entry.payload["reason"], entry.payload["ends_at"]
        outcome = await self._command(EndHold(f"end-hold:{esim_id}:{reason}:{ends_at}", esim_id, reason, ends_at))
        if isinstance(outcome, Unknown):
            return outcome
        if outcome.code is OutcomeCode.NOT_DUE:
            return Unknown("the ledger's clock is not there yet")
        return Done() if outcome.code is OutcomeCode.DONE else Refused(f"the ledger refused it: {outcome.code}")

    async def freeze(self, entry: Entry) -> JobResult:
        """Freeze or thaw the wallet, as was wished last; older requests are skipped.

        A line whose first session is not prepared yet has no wallet. It gets one, so that it is frozen from the
        beginning.
        """
        async with self._line_turn:
            esim_id = str(entry.payload["esim_id"])
            esim = await self._database.read(lambda connection: find_esim(connection, esim_id))
            for command in (
                OpenWallet(f"open:{esim_id}", esim_id, esim.network_name),
                Freeze(f"freeze:{esim_id}:{esim.freeze_wish}", esim_id, esim.wants_frozen),
            ):
                outcome = await self._command(command)
                if isinstance(outcome, Unknown):
                    return outcome
                if outcome.code is not OutcomeCode.DONE:
                    return Refused(f"the ledger refused it: {outcome.code}")
        return Done()

    async def arrange(self, entry: Entry) -> JobResult:
        """Apply the owner's newest order of use and continue switch; older requests are skipped."""
        esim_id = str(entry.payload["esim_id"])
        async with self._line_turn:
            line = await self._database.read(lambda connection: slots.line_of(connection, esim_id))
            commands: tuple[Command, ...] = (
                OrderWallet(f"order:{esim_id}:{line.wish}", esim_id, line.wanted_order),
                ContinueWithNext(f"next:{esim_id}:{line.wish}", esim_id, line.wants_next),
            )
            for command in commands:
                outcome = await self._command(command)
                if isinstance(outcome, Unknown):
                    return outcome
                if outcome.code is not OutcomeCode.DONE:
                    return Refused(f"the ledger refused it: {outcome.code}")
        return Done()

    async def cut_off(self, entry: Entry) -> JobResult:
        """Put the line of an exhausted session on hold.

        The ledger refuses if another session can be used: only the ledger knows which proofs it accepted before
        this command.
        """
        session, esim = await self._read(entry)
        outcome = await self._command(
            HoldWallet(f"cut-off:{session.session_id}", esim.esim_id, SessionState.EXHAUSTED.value)
        )
        return outcome if isinstance(outcome, Unknown) else Done()

    async def _read(self, entry: Entry) -> tuple[InternetSession, ESim]:
        def look(connection: Connection) -> tuple[InternetSession, ESim]:
            session = find_session(connection, str(entry.payload["session_id"]))
            return session, find_esim(connection, session.esim_id)

        return await self._database.read(look)

    async def _command(self, command: Command) -> Outcome | Unknown:
        try:
            return await self._ledger.execute(command)
        except (LedgerBusyError, LedgerClosedError, LedgerFailedError) as error:
            return Unknown(error.message)

    async def _fail(self, session: InternetSession, reason: str) -> JobResult:
        def fail(connection: Connection) -> None:
            current = find_session(connection, session.session_id)
            if allows(current.state, SessionEvent.FAILED):
                end_unused_session(connection, current, SessionEvent.FAILED, reason)
                jobs.ask_to_revoke(connection, current, "failed")

        await self._database.write(fail)
        return Refused(reason)
