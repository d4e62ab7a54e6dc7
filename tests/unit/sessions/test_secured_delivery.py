"""The session on its standard road: released, downloaded by ES9+'s functions, stored by the install result."""

from pathlib import Path

from kswifi.esim.lines.service import find_esim
from kswifi.esim.model import ProfileState
from kswifi.outbox.results import Done, Refused
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.notifications import InstallError, InstallFailure
from tests.support.session_roads import open_road, world


async def test_the_install_result_stores_the_session(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        line = await road.database.read(lambda connection: find_esim(connection, session.esim_id))
        assert line.profile_state is ProfileState.RELEASED
        got = await road.download(session)
        assert got.metadata.icon is not None
        assert got.metadata.iccid == line.numbers.iccid.to_bytes()
        assert line.numbers.imsi.to_bytes() in got.profile
        assert session.session_id.replace("-", "") in got.profile.hex()  # the signed record travels inside
        for _ in range(2):
            await road.results.handle_notification(got.result())
        await road.settle()
        now = await road.now(session)
        assert (now.state, now.storage_proof) == ("stored", "install_result")
        assert (
            await road.database.read(lambda connection: find_esim(connection, session.esim_id).profile_state)
            is ProfileState.INSTALLED
        )
        assert isinstance(await road.delivery.deliver(session.esim_id, b"other"), Refused)


async def test_an_altered_install_result_stores_nothing(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        genuine = (await road.download(session)).result()
        forged = genuine[:-1] + bytes([genuine[-1] ^ 1])  # the last octet of the card's signature
        await road.results.handle_notification(forged)
        await road.settle()
        now = await road.now(session)
        assert (now.state, now.storage_proof) == ("transferring", None)
        await road.results.handle_notification(genuine)
        await road.settle()
        assert (await road.now(session)).state == "stored"


async def test_a_card_that_did_not_install_it_fails_the_transfer_which_can_be_asked_for_again(
    tmp_path: Path,
) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        await road.prove(session, InstallFailure(5, InstallError.INSUFFICIENT_MEMORY))
        await road.settle()
        failed = await road.now(session)
        assert (failed.state, failed.storage_proof) == ("downloaded", None)
        assert "reason 10" in (failed.state_reason or "")
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle()
        await road.prove(session)
        await road.settle()
        assert (await road.now(session)).state == "stored"


async def test_a_download_that_its_user_rejects_fails_the_transfer_which_can_be_asked_for_again(
    tmp_path: Path,
) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        got = await road.download(session)
        oid = world().smdp_identities()[0].oid
        rejected = got.card.cancellation(got.transaction_id, oid, CancelReason.END_USER_REJECTION).encode()
        for _ in range(2):
            await road.provisioning.cancel_session(got.transaction_id, rejected)
        await road.settle()
        failed = await road.now(session)
        assert failed.state == "downloaded", "a session does not wait for a download that was ended"
        assert "cancelled by the device" in (failed.state_reason or "")
        await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await road.settle()
        await road.prove(session)
        await road.settle()
        assert (await road.now(session)).state == "stored"


async def test_the_same_delivery_again_keeps_the_binding_and_another_record_does_not(tmp_path: Path) -> None:
    async with open_road(tmp_path) as road:
        session = await road.transferring()
        await road.download(session)
        record = await road.database.write(
            lambda c: c.exec_driver_sql("SELECT session_record FROM esim").scalar_one()
        )
        key = road.card.one_time_key
        assert await road.delivery.deliver(session.esim_id, record) == Done()
        await road.download(session)
        assert road.card.one_time_key is key
        other = bytes([record[0]]) + bytes(122)
        assert await road.delivery.deliver(session.esim_id, other) == Done()
        assert other in (await road.download(session)).profile
        assert road.card.one_time_key is not key
        assert isinstance(await road.delivery.deliver("unknown", record), Refused)
