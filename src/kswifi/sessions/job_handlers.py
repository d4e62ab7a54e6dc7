"""The steps that leave a transaction, worked from the outbox.

Every command to the ledger has an id that follows from the session or the owner's wish, so a step that is worked
twice is done once. What the ledger cannot take now is unknown, and looked at again.
"""

import asyncio
from collections.abc import Mapping

from sqlalchemy import Connection

from kswifi.catalogue.service import Catalogue
from kswifi.database.engine import Database
from kswifi.esim.lines.service import card_of, find_esim
from kswifi.esim.model import ESim, LineSettings, ProfileState
from kswifi.esim.ports import PROFILE_SETTLED, ProfileDelivery, StorageProof
from kswifi.free_data.service import FreeData
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import (
    Command,
    ContinueWithNext,
    Credit,
    Disburse,
    Expire,
    HoldWallet,
    LiftHold,
    OpenWallet,
    OrderWallet,
    Outcome,
    OutcomeCode,
    ProveStorage,
    Revoke,
)
from kswifi.ledger.errors import LedgerBusyError, LedgerClosedError, LedgerFailedError
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Handler, JobResult, Refused, Unknown
from kswifi.sessions import jobs
from kswifi.sessions.card import slots
from kswifi.sessions.card.packets import CARD_FULL, note_proof
from kswifi.sessions.contents import sign_package, sign_session_record
from kswifi.sessions.ending import ON_THE_CARD, end_unused_session, has_usable_session, may_be_spent
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionEvent, SessionState, allows
from kswifi.sessions.orders import package_digest
from kswifi.sessions.ports import LedgerCommands
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.store import (
    find_session,
    get_record,
    in_state,
    move_session,
    put_package,
    sessions_on,
)


class SessionHandlers:
    """Works the outbox entries of sessions; ``handlers()`` is what the worker is given."""

    def __init__(
        self,
        database: Database,
        ledger: LedgerCommands,
        catalogue: Catalogue,
        signing_key: SessionSigningKey,
        line: LineSettings,
        delivery: ProfileDelivery,
        free_data: FreeData,
        *,
        takes_provider_status: bool = False,
    ) -> None:
        """``takes_provider_status``: an installed profile of another's SM-DP+ is proof enough (StorageProof)."""
        self._database = database
        self._takes_provider_status = takes_provider_status
        self._ledger = ledger
        self._catalogue = catalogue
        self._signing_key = signing_key
        self._line = line
        self._delivery = delivery
        self._free_data = free_data
        # One change of a line at a time, so that an older wish is never carried out after a newer one.
        self._line_turn = asyncio.Lock()

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each kind."""
        return {
            jobs.PREPARE: self.prepare,
            jobs.DELIVER: self.deliver,
            jobs.DISBURSE: self.disburse,
            jobs.PROVE_STORAGE: self.prove_storage,
            jobs.REVOKE: self.revoke,
            jobs.EXPIRE: self.expire,
            jobs.LINE: self.apply_wish,
            jobs.CUT_OFF: self.cut_off,
            jobs.ARRANGE: self.arrange,
            PROFILE_SETTLED: self.settle_profile,
        }

    async def prepare(self, entry: Entry) -> JobResult:
        """Open the wallet, credit the allowance, sign record and package: ``packaged``."""
        session, esim = await self._read(entry)
        if session.state is not SessionState.ORDERED:
            return Done()
        withheld_octets = await self._free_data.withheld_octets(session.session_id)
        for command in (
            OpenWallet(f"open:{esim.esim_id}", esim.esim_id, str(esim.imsi)),
            Credit(
                f"credit:{session.session_id}",
                esim.esim_id,
                session.session_id,
                session.allowance_octets,
                unix_seconds(session.valid_until),
                withheld_octets,
            ),
        ):
            outcome = await self._command(command)
            if isinstance(outcome, Unknown):
                return outcome
            if outcome.code is OutcomeCode.EXPIRED:
                return Done()  # nobody came to it in all its validity; its expiry is due and ends it
            if outcome.code is not OutcomeCode.DONE:
                return await self._fail(session, f"the ledger refused it: {outcome.code}")
        offer, zone = self._catalogue.offer(session.offer_id), self._free_data.rules.zone
        record = sign_session_record(session, esim, self._signing_key)
        package = sign_package(session, esim, offer, self._line, record, self._signing_key, zone)

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
                # Taken back while this was under way: what was credited meanwhile goes too.
                jobs.ask_to_revoke(connection, current, "ended while it was prepared")

        await self._database.write(prepared)
        return Done()

    async def deliver(self, entry: Entry) -> JobResult:
        """Make the profile with the record ready for its card; if it never can be, the transfer has failed."""
        session, esim = await self._read(entry)
        if session.state is not SessionState.TRANSFERRING:
            return Done()
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
            reason = result.reason

            def failed(connection: Connection) -> None:
                current = find_session(connection, session.session_id)
                if allows(current.state, SessionEvent.TRANSFER_FAILED):
                    move_session(connection, current, SessionEvent.TRANSFER_FAILED, reason)

            await self._database.write(failed)
        return result

    async def _place(self, session: InternetSession, record: bytes) -> JobResult:
        """Give the record a place on a card that has its profile: secured packets bring it there."""

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
        """Let a session be spent on the word of another's SM-DP+, where the operator has chosen so."""
        transferring = session.state is SessionState.TRANSFERRING and session.storage_proof is None
        if self._takes_provider_status and transferring:
            note_proof(connection, session.session_id, StorageProof.PROVIDER_STATUS)

    async def settle_profile(self, entry: Entry) -> JobResult:
        """Take how a profile's installation went: as a card has signed it, or as another's SM-DP+ says.

        The record is on the card with it, or comes by packets, or the transfer has failed.
        """
        failure, record_inside = entry.payload["failure"], entry.payload.get("record_inside", True)

        def settle(connection: Connection) -> None:
            on_it = sessions_on(connection, str(entry.payload["esim_id"]))
            session = in_state(on_it, SessionState.TRANSFERRING)
            if session is not None and may_be_spent(session):  # the card's own proof was there first, and stands
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
        """Count what came onto a card by its own proof before another's SM-DP+ said which; take too much back."""
        if self._card_refused(connection, session) is not None and may_be_spent(session):
            jobs.ask_to_revoke(connection, session, "the card has had its share")

    def _card_refused(self, connection: Connection, session: InternetSession) -> str | None:
        """Return why this card must not have a free session: which one it is on is known from its install alone."""
        eid = card_of(connection, session.esim_id)
        if not session.free or session.allowance_octets is None or eid is None:
            return None
        octets = session.allowance_octets
        refused = self._free_data.take_card(connection, session.session_id, octets, eid)
        return None if refused is None else refused.message

    async def prove_storage(self, entry: Entry) -> JobResult:
        """Let the ledger spend the session, now that its card was verified; the projector then says ``stored``."""
        session, _ = await self._read(entry)
        if session.storage_proof is None:
            return Refused("no proof was verified")
        outcome = await self._command(
            ProveStorage(f"prove:{session.session_id}", session.session_id, str(session.storage_proof))
        )
        if isinstance(outcome, Unknown):
            return outcome
        return Done() if outcome.code is OutcomeCode.DONE else Refused(f"the ledger refused it: {outcome.code}")

    async def disburse(self, entry: Entry) -> JobResult:
        """Credit what is released of a free session by now; one that has ended needs no more."""
        session_id, octets = str(entry.payload["session_id"]), int(entry.payload["released_octets"])
        outcome = await self._command(Disburse(f"disburse:{session_id}:{octets}", session_id, octets))
        return outcome if isinstance(outcome, Unknown) else Done()

    async def revoke(self, entry: Entry) -> JobResult:
        """End the account; the projector moves a session that is not ended yet."""
        session_id, reason = str(entry.payload["session_id"]), str(entry.payload["reason"])
        outcome = await self._command(Revoke(f"revoke:{session_id}", session_id, reason))
        # An account that was never credited needs no end: `prepare` asks again if it credits one after all.
        return outcome if isinstance(outcome, Unknown) else Done()

    async def expire(self, entry: Entry) -> JobResult:
        """End the account whose validity is over; a session that never had one ends here."""
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
        """Bring the line to its owner's newest wish; older ones are passed over."""
        async with self._line_turn:

            def look(connection: Connection) -> tuple[ESim, slots.CardLine, list[str]]:
                esim = find_esim(connection, str(entry.payload["esim_id"]))
                line = slots.line_of(connection, esim.esim_id)
                usable = [it.session_id for it in sessions_on(connection, esim.esim_id) if it.state in ON_THE_CARD]
                return esim, line, usable

            esim, line, usable = await self._database.read(look)
            # Of several the one that was chosen is next; where none was, the ledger goes by the order of use.
            chosen = line.chosen_session_id if line.chosen_session_id in usable else None
            if len(usable) == 1:
                chosen = usable[0]
            command: Command
            command_id = f"line:{esim.esim_id}:{esim.wish}"
            if esim.wants_pause:
                command = HoldWallet(command_id, esim.esim_id, "paused")
            else:
                command = LiftHold(command_id, esim.esim_id, chosen)
            outcome = await self._command(command)
        if isinstance(outcome, Unknown):
            return outcome
        return Done() if outcome.code is OutcomeCode.DONE else Refused(f"the ledger refused it: {outcome.code}")

    async def arrange(self, entry: Entry) -> JobResult:
        """Bring the line's order of use and its switch to its owner's newest wish; older ones are passed over."""
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
        """Put the line of an exhausted session on hold, unless a next one has come onto its card meanwhile."""
        session, esim = await self._read(entry)
        if await self._database.read(lambda connection: has_usable_session(connection, esim.esim_id)):
            return Done()
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
