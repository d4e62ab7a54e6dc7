"""Progress that an external SM-DP+ reports for a profile after the card has proved the profile's sessions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kswifi.esim.jobs import PROFILE_SETTLED
from kswifi.free_data.rules import FreeDataRules
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done
from tests.support.peers import Peer, delivered_by, running_peer
from tests.support.session_roads import BOLA, GB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_peer(tmp_path_factory.mktemp("peer")) as one:
        yield one


@pytest.fixture
def peer(server: Peer) -> Peer:
    server.alter = server.before = None
    server.front.asked.clear()
    return server


async def test_all_that_a_card_was_given_counts_once_the_smdp_names_it(peer: Peer, tmp_path: Path) -> None:
    """Two sessions proved, one of them used up, before the card was known: another account on it gets no more."""
    async with delivered_by(peer, tmp_path / "road", rules=FreeDataRules(card_allowance_octets=4 * GB)) as at:
        first = await at.road.transferring()
        await at.install(first)
        await at.road.carry(first)
        await at.road.settle()
        await at.road.use(first, GB)
        second = await at.road.transferring()
        assert second.esim_id == first.esim_id
        await at.road.carry(second)
        await at.road.settle()
        await at.tell(second, 4)
        other = await at.road.transferring(3 * GB, BOLA)
        await at.tell(other, 4)
        assert (await at.road.now(second)).state == "stored"
        assert (await at.road.now(other)).state == "failed"


@pytest.mark.parametrize("failure", [None, "no memory (8.1/4.2)"])
async def test_what_the_smdp_tells_after_the_cards_proof_leaves_the_session_to_the_ledger(
    peer: Peer, tmp_path: Path, failure: str | None
) -> None:
    """Before the projector's word too: a failure does not undo the proof, a card's limit ends it by the ledger."""
    rules = FreeDataRules(card_allowance_octets=GB - 1)
    async with delivered_by(peer, tmp_path / "road", rules=rules) as at:
        session = await at.road.transferring()
        await at.tell(session, 3)
        await at.install(session)
        await at.road.carry(session)
        told = {"esim_id": session.esim_id, "failure": failure, "record_inside": False}
        entry = Entry(1, PROFILE_SETTLED, "one", told, 1, "a test")
        assert await at.road.handlers.settle_profile(entry) == Done()
        assert (await at.road.now(session)).state == "transferring"
        await at.road.settle()
        assert (await at.road.now(session)).state == ("revoked" if failure is None else "stored")
