"""The road of a session on a real database, a real ledger and a real card."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from kswifi.catalogue.errors import UNKNOWN_OFFER
from kswifi.esim.lines.service import esims_of, find_esim
from kswifi.esim.model import Hold, ProfileState
from kswifi.ledger.commands import OutcomeCode
from kswifi.outbox.model import DomainEvent
from kswifi.outbox.service import events_after
from kswifi.payments.errors import PaymentsNotSetUpError
from kswifi.rsp.messages.notifications import InstallError, InstallFailure
from kswifi.rsp.status_codes import RspRefusedError
from kswifi.session_package.codec import verify_package
from kswifi.session_package.errors import PackageExpiredError
from kswifi.sessions.errors import (
    ESIM_NOT_FRESH,
    IDEMPOTENCY_KEY_REUSED,
    ILLEGAL_TRANSITION,
    NO_SESSION_ON_ESIM,
    NOT_CANCELLABLE,
    PACKAGE_DIGEST_MISMATCH,
    PACKAGE_NOT_READY,
    SESSION_ENDED,
    SESSION_IS_FOR_ANOTHER_ESIM,
    UnknownSessionError,
)
from kswifi.sessions.model import SessionState
from tests.support.refusals import refused
from tests.support.session_roads import ADA, BOLA, GB, open_road


async def test_from_the_order_to_the_last_octet(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
        assert session.state is SessionState.ORDERED
        with refused(PACKAGE_NOT_READY):
            await road.downloads.package(ADA, session.session_id)
        await road.settle()

        session, package = await road.downloads.package(ADA, session.session_id)
        assert session.state is SessionState.DOWNLOADING
        assert (await road.downloads.package(ADA, session.session_id))[1] == package
        esim = await road.database.read(lambda connection: find_esim(connection, session.esim_id))
        verified = verify_package(package, road.signing_key.public_keys, esim.iccid, road.clock.now())
        assert verified.manifest.allowance_octets == GB
        assert verified.activation["activation_code"] == f"LPA:1$smdp.kswifi.test${esim.matching_id}"
        assert verified.activation["manual_setup"]["apn"] == "internet"
        assert verified.activation["qr_code_svg"].startswith("<svg")
        assert "1,000,000,000 octets" in verified.terms

        with refused(PACKAGE_DIGEST_MISMATCH):
            await road.downloads.confirm_download(ADA, session.session_id, "0" * 64)
        assert session.package_sha256 is not None
        for _ in range(2):
            session = await road.downloads.confirm_download(ADA, session.session_id, session.package_sha256)
            assert session.state is SessionState.DOWNLOADED
        with pytest.raises(RspRefusedError):  # its transfer was not asked for
            await road.download(session)

        session = await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        assert session.state is SessionState.TRANSFERRING
        await road.settle()
        downloaded = await road.download(session)
        # Not one octet before the proof.
        assert (await road.reserve(session, 1000)).code is OutcomeCode.NOT_PROVEN
        await road.results.handle_notification(downloaded.result())
        await road.settle()
        session = await road.now(session)
        assert (session.state, session.storage_proof) == (SessionState.STORED, "install_result")

        await road.use(session, GB - 1, 1)
        usage = await road.usage(session)
        assert (usage.state, usage.balance.used, usage.balance.available) == (SessionState.ACTIVE, GB - 1, 1)
        assert usage.as_of == road.clock.now()
        assert usage.hold is None
        await road.use(session, 1, 2)
        usage = await road.usage(session)
        assert (usage.state, usage.hold) == (SessionState.EXHAUSTED, Hold.EXHAUSTED)
        assert (await road.reserve(session, 1, 3)).code is not OutcomeCode.DONE


async def test_everything_that_happens_is_an_event_in_order(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, GB)

        def look(connection: Connection) -> list[DomainEvent]:
            events = events_after(connection, ADA, 0)
            assert events_after(connection, BOLA, 0) == []
            return events

        events = await road.database.read(look)
        states = [event.payload["state"] for event in events if event.kind == "session_state_changed"]
        assert states == [
            "ordered", "packaged", "downloading", "downloaded", "transferring", "stored", "active", "exhausted",
        ]  # fmt: skip
        profile = [event.payload["profile_state"] for event in events if event.kind == "profile_state_changed"]
        assert profile == ["released", "downloaded", "installed"]
        line = [event.payload["hold"] for event in events if event.kind == "line_changed"]
        assert line == ["exhausted"]
        balances = [event.payload for event in events if event.kind == "session_balance_changed"]
        assert balances[-1]["used"] == GB


async def test_asking_twice_gives_one_session(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        first = await road.downloads.download_session(ADA, GB, idempotency_key="one")
        asked = [road.downloads.download_session(ADA, GB, idempotency_key="one") for _ in range(5)]
        assert {session.session_id for session in await asyncio.gather(*asked)} == {first.session_id}
        with refused(IDEMPOTENCY_KEY_REUSED):
            await road.downloads.download_session(ADA, 3 * GB, idempotency_key="one")
        bolas = await road.downloads.download_session(BOLA, GB, idempotency_key="one")
        assert bolas.session_id != first.session_id
        assert len(await road.downloads.sessions(ADA)) == 1


async def test_the_pass_is_refused_and_takes_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        with pytest.raises(PaymentsNotSetUpError, match="nothing was taken"):
            await road.downloads.download_session(ADA, None)
        with refused(UNKNOWN_OFFER):
            await road.downloads.download_session(ADA, 2 * GB)
        assert await road.downloads.sessions(ADA) == []
        assert await road.database.read(lambda connection: esims_of(connection, ADA)) == []


async def test_the_road_goes_on_after_a_restart_at_every_stage(tmp_path: Path) -> None:
    """Each stage begins in a new process's place: what was asked for before is done after."""
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
    async with open_road(tmp_path) as road:
        await road.settle()
        session, package = await road.downloads.package(ADA, session.session_id)
    async with open_road(tmp_path) as road:
        assert (await road.downloads.package(ADA, session.session_id))[1] == package
        assert session.package_sha256 is not None
        await road.downloads.confirm_download(ADA, session.session_id, session.package_sha256)
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
    async with open_road(tmp_path) as road:
        await road.settle()
        downloaded = await road.download(session)
    async with open_road(tmp_path) as road:
        await road.results.handle_notification(downloaded.result())
    async with open_road(tmp_path) as road:
        assert (await road.reserve(session, 1)).code is OutcomeCode.NOT_PROVEN
        await road.settle()
        await road.reserve(session, GB, 1)
    async with open_road(tmp_path) as road:
        await road.use(session, GB, 2)
        assert (await road.now(session)).state is SessionState.EXHAUSTED


async def test_the_package_of_every_free_offer_is_small(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        for user_id, size in ((ADA, GB), (ADA, 3 * GB), (BOLA, 5 * GB)):
            session = await road.downloaded(size, user_id)
            assert session.package_octets is not None
            assert session.package_octets < 4096


async def test_what_is_another_users_does_not_exist(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        for asked in (
            road.downloads.session(BOLA, session.session_id),
            road.downloads.package(BOLA, session.session_id),
            road.downloads.confirm_download(BOLA, session.session_id, "0" * 64),
            road.downloads.cancel(BOLA, session.session_id),
            road.downloads.session(ADA, "no-uuid"),
        ):
            with pytest.raises(UnknownSessionError):
                await asked
        await road.prove(session)


async def test_out_of_order_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, GB)
        await road.settle()
        packaged = await road.now(session)
        with refused(ILLEGAL_TRANSITION):
            await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        assert packaged.package_sha256 is not None
        with refused(ILLEGAL_TRANSITION):
            await road.downloads.confirm_download(ADA, session.session_id, packaged.package_sha256)
        with pytest.raises(RspRefusedError):
            await road.download(session)
        with refused(NO_SESSION_ON_ESIM):
            await road.downloads.activate_session_on_esim(session.esim_id)
        other = await road.downloaded(GB, BOLA)
        with refused(SESSION_IS_FOR_ANOTHER_ESIM):
            await road.downloads.transfer_to_esim(other.session_id, session.esim_id)
        assert await road.now(session) == packaged


async def test_a_package_whose_validity_is_over_is_not_transferred(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloaded()
        road.clock.advance(session.valid_until - road.clock.now())
        with pytest.raises(PackageExpiredError):
            await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        assert (await road.now(session)).state is SessionState.DOWNLOADED


async def test_pause_and_resume(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        line = await road.downloads.activate_session_on_esim(session.esim_id)
        assert line.hold is None, "a stored session's line is on: nothing to do"
        await road.use(session, 1000)
        await road.downloads.deactivate_session(session.esim_id)
        assert (await road.now(session)).state is SessionState.ACTIVE, "the network has not said so yet"
        await road.settle()
        assert (await road.now(session)).state is SessionState.PAUSED
        assert (await road.reserve(session, 1000, 5)).code is OutcomeCode.ON_HOLD
        await road.downloads.deactivate_session(session.esim_id)
        await road.downloads.activate_session_on_esim(session.esim_id)
        await road.downloads.activate_session_on_esim(session.esim_id)
        await road.settle()
        assert (await road.now(session)).state is SessionState.ACTIVE
        assert (await road.reserve(session, 1000, 6)).code is OutcomeCode.DONE


async def test_the_newest_wish_wins(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, 1000)
        for _ in range(3):
            await road.downloads.deactivate_session(session.esim_id)
            await road.downloads.activate_session_on_esim(session.esim_id)
        await road.downloads.deactivate_session(session.esim_id)
        await road.settle()
        usage = await road.usage(session)
        assert (usage.state, usage.hold) == (SessionState.PAUSED, Hold.PAUSED)


async def test_a_paused_session_can_be_used_up_by_what_flowed_before(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, 1000, 1)
        await road.reserve(session, GB - 1000, 2)
        await road.downloads.deactivate_session(session.esim_id)
        await road.settle()
        assert (await road.now(session)).state is SessionState.PAUSED
        await road.use(session, GB - 1000, 2)
        assert (await road.now(session)).state is SessionState.EXHAUSTED


async def test_expiry_ends_what_is_left(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        await road.use(session, 400, 1)
        untouched = await road.downloads.download_session(BOLA, GB)
        await road.settle()
        road.clock.advance(session.valid_until - road.clock.now() - timedelta(seconds=1))
        await road.settle()
        assert (await road.now(session)).state is SessionState.ACTIVE
        road.clock.advance(timedelta(seconds=1))
        await road.settle()
        usage = await road.usage(session)
        assert (usage.state, usage.balance.used, usage.balance.expired) == (
            SessionState.EXPIRED,
            400,
            GB - 400,
        )
        assert (await road.reserve(session, 1, 9)).code is not OutcomeCode.DONE
        with refused(SESSION_ENDED):
            await road.downloads.package(BOLA, untouched.session_id)
        assert (await road.now(untouched)).state is SessionState.EXPIRED


@pytest.mark.parametrize("work_first", [True, False])
async def test_cancelling_gives_the_allowance_back(tmp_path: Path, *, work_first: bool) -> None:
    async with open_road(tmp_path) as road:
        session = await road.downloads.download_session(ADA, 5 * GB)
        if work_first:
            await road.settle()
        cancelled = await road.downloads.cancel(ADA, session.session_id)
        assert (cancelled.state, cancelled.state_reason) == (SessionState.REVOKED, "cancelled")
        assert await road.downloads.cancel(ADA, session.session_id) == cancelled
        again = await road.downloads.download_session(ADA, 3 * GB, esim_id=session.esim_id)
        assert again.esim_id == session.esim_id, "the profile carries nothing yet: it may be used again"
        await road.settle()
        account = road.ledger.state.account(session.session_id)
        assert account is None or account.balances.revoked == 5 * GB
        assert (await road.now(again)).state is SessionState.PACKAGED
        with refused(ESIM_NOT_FRESH):
            await road.downloads.download_session(ADA, GB, esim_id=session.esim_id)


async def test_a_stored_session_is_cancelled_by_the_ledger_and_a_used_one_is_not(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.stored()
        assert (await road.downloads.cancel(ADA, session.session_id)).state is SessionState.STORED
        await road.settle()
        assert (await road.now(session)).state is SessionState.REVOKED
        assert (await road.reserve(session, 1)).code is not OutcomeCode.DONE
        used = await road.stored()
        await road.use(used, 10, 1)
        with refused(NOT_CANCELLABLE):
            await road.downloads.cancel(ADA, used.session_id)


async def test_cancelling_during_the_transfer_withdraws_the_profile(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        downloaded = await road.download(session)
        await road.downloads.cancel(ADA, session.session_id)
        await road.results.handle_notification(downloaded.result())  # too late
        await road.settle()
        now = await road.now(session)
        assert (now.state, now.storage_proof) == (SessionState.REVOKED, None)
        assert (
            await road.database.read(lambda connection: find_esim(connection, session.esim_id).profile_state)
            is ProfileState.UNAVAILABLE
        )
        with pytest.raises(RspRefusedError):
            await road.download(session)


async def test_a_failed_transfer_can_be_asked_for_again(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        await road.prove(session, InstallFailure(5, InstallError.INSUFFICIENT_MEMORY))
        await road.settle()
        failed = await road.now(session)
        assert failed.state is SessionState.DOWNLOADED
        assert "the card did not install it" in (failed.state_reason or "")
        assert (await road.reserve(session, 1)).code is OutcomeCode.NOT_PROVEN
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle()
        await road.prove(session)
        await road.settle()
        assert (await road.now(session)).state is SessionState.STORED
