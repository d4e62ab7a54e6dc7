"""The session on its standard road: released, downloaded by ES9+'s functions, stored by the install result."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kswifi.esim.install_results import InstallResults
from kswifi.esim.model import ProfileState
from kswifi.esim.packages import Packages
from kswifi.esim.provisioning import Provisioning
from kswifi.esim.secured_delivery import SecuredDelivery
from kswifi.esim.service import find_esim
from kswifi.esim.vault import SubscriberVault
from kswifi.kernel.numbers import Eid
from kswifi.lab.light_card import LightCard
from kswifi.outbox.results import Done, Refused
from kswifi.rsp import binding, pki, pki_making
from kswifi.rsp.messages.metadata import ProfileMetadata
from kswifi.rsp.messages.notifications import InstallError, InstallFailure
from kswifi.sessions.handlers import SessionHandlers
from kswifi.sessions.model import InternetSession
from tests.support.session_roads import LINE, Road, open_road

ADDRESS = "rsp.example"
EID = Eid.with_check_digits("890490320000000000000000000001")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> pki.Pki:
    return pki.load_pki(pki_making.make_pki(pki_making.PkiPlan("KSWiFi", ADDRESS, "89049032"), EID, NOW))


@dataclass
class Smdp:
    road: Road
    world: pki.Pki

    def __post_init__(self) -> None:
        vault, trust = SubscriberVault(bytes(32)), self.world.trust()
        self.delivery = SecuredDelivery(self.road.database)
        self.results = InstallResults(self.road.database, trust)
        self.provisioning = Provisioning(
            self.road.database, vault, identities=self.world.smdp_identities(), trust=trust,
            packages=Packages(vault, ADDRESS), addresses=(ADDRESS,),
        )  # fmt: skip
        self.card = LightCard(self.world.card_identities()[0], trust)
        road = self.road
        handlers = SessionHandlers(
            road.database, road.ledger, road.handlers._catalogue, road.signing_key, LINE, self.delivery
        )
        road.handlers = handlers
        road.__post_init__()

    async def download(self, matching_id: str) -> tuple[bytes, bytes, ProfileMetadata]:
        """Return transaction, profile package and metadata, as the card gets them."""
        begun = self.provisioning.initiate_authentication(self.card.challenge(), self.card.info1(), ADDRESS)
        tid = begun.transaction_id
        answer = self.card.authenticate(
            begun.server_signed1.raw, begun.server_signature1, begun.server_certificate, matching_id
        )
        offered = await self.provisioning.authenticate_client(tid, answer.encode())
        prepared = offered.prepared
        response = self.card.prepare_download(
            prepared.smdp_signed2.raw, prepared.smdp_signature2, prepared.smdp_certificate
        )
        package = await self.provisioning.get_bound_profile_package(tid, response.encode())
        events = self.card.open_package(package, tid, prepared.smdp_certificate)
        octets = b"".join(event.octets for event in events if isinstance(event, binding.ProfileOctets))
        return tid, octets, ProfileMetadata.decode(offered.metadata)


async def transferring(smdp: Smdp) -> InternetSession:
    session = await smdp.road.downloaded()
    session = await smdp.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
    await smdp.road.settle()
    return session


def test_the_install_result_stores_the_session(tmp_path: Path, world: pki.Pki) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            smdp = Smdp(road, world)
            session = await transferring(smdp)
            async with road.database.reading() as connection:
                line = await find_esim(connection, session.esim_id)
            assert line.profile_state is ProfileState.RELEASED
            tid, profile, metadata = await smdp.download(line.matching_id)
            assert metadata.icon is not None
            assert metadata.iccid == line.iccid.to_bytes()
            assert line.imsi.to_bytes() in profile
            assert session.session_id.replace("-", "") in profile.hex()  # the signed record travels inside
            result = smdp.card.install_result(tid, metadata.iccid, ADDRESS, "2.999.10").encode()
            for _ in range(2):
                await smdp.results.handle_notification(result)
            await road.settle()
            now = await road.now(session)
            assert (now.state, now.storage_proof) == ("stored", "install_result")
            async with road.database.reading() as connection:
                assert (await find_esim(connection, session.esim_id)).profile_state is ProfileState.INSTALLED
            assert isinstance(await smdp.delivery.deliver(session.esim_id, b"other"), Refused)

    asyncio.run(scenario())


def test_a_card_that_did_not_install_it_fails_the_transfer_which_can_be_asked_for_again(
    tmp_path: Path, world: pki.Pki
) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            smdp = Smdp(road, world)
            session = await transferring(smdp)
            async with road.database.reading() as connection:
                line = await find_esim(connection, session.esim_id)
            tid, _, metadata = await smdp.download(line.matching_id)
            failure = InstallFailure(5, InstallError.INSUFFICIENT_MEMORY)
            result = smdp.card.install_result(tid, metadata.iccid, ADDRESS, "2.999.10", failure)
            await smdp.results.handle_notification(result.encode())
            await road.settle()
            failed = await road.now(session)
            assert (failed.state, failed.storage_proof) == ("downloaded", None)
            assert "reason 10" in (failed.state_reason or "")
            await road.downloads.transfer_to_esim(session.session_id, session.esim_id)
            await road.settle()
            tid, _, metadata = await smdp.download(line.matching_id)
            good = smdp.card.install_result(tid, metadata.iccid, ADDRESS, "2.999.10")
            await smdp.results.handle_notification(good.encode())
            await road.settle()
            assert (await road.now(session)).state == "stored"

    asyncio.run(scenario())


def test_the_same_delivery_again_keeps_the_binding_and_another_record_does_not(
    tmp_path: Path, world: pki.Pki
) -> None:
    async def scenario() -> None:
        async with open_road(tmp_path) as road:
            smdp = Smdp(road, world)
            session = await transferring(smdp)
            async with road.database.reading() as connection:
                line = await find_esim(connection, session.esim_id)
            await smdp.download(line.matching_id)
            record = (await road.database.together(
                lambda c: c.exec_driver_sql("SELECT session_record FROM esim").scalar_one()
            ))  # fmt: skip
            key = smdp.card.one_time_key
            assert await smdp.delivery.deliver(session.esim_id, record) == Done()
            await smdp.download(line.matching_id)
            assert smdp.card.one_time_key is key
            other = bytes([record[0]]) + bytes(122)
            assert await smdp.delivery.deliver(session.esim_id, other) == Done()
            _, profile, _ = await smdp.download(line.matching_id)
            assert smdp.card.one_time_key is not key
            assert other in profile
            assert isinstance(await smdp.delivery.deliver("unknown", record), Refused)

    asyncio.run(scenario())
