"""An external SM-DP+ delivers our profiles: ordered over ES2+ at our own server, installed, proved by packets."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from kswifi.bench.es9_client import Es9FailedError
from kswifi.esim.errors import NumbersUsedUpError
from kswifi.esim.external_smdp.orders import PEER_CANCEL
from kswifi.esim.external_smdp.progress import Progress
from kswifi.free_data.rules import FreeDataRules
from kswifi.kernel.numbers import Eid
from kswifi.outbox.model import Entry
from kswifi.outbox.results import Done, Refused, Unknown
from kswifi.rsp.session_record import RECORD_OCTETS
from kswifi.rsp.status_codes import RspRefusedError
from kswifi.session_package.codec import verify_package
from tests.support.cards import EID
from tests.support.peers import Peer, delivered_by, fill, running_peer
from tests.support.session_roads import ADA, BOLA, GB
from tests.support.smdp import ADDRESS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_peer(tmp_path_factory.mktemp("peer")) as one:
        yield one


@pytest.fixture
def peer(server: Peer) -> Peer:
    server.alter = server.before = None
    server.front.asked.clear()
    return server


async def test_a_session_is_stored_by_the_cards_own_proof_even_if_the_smdp_never_calls_back(
    peer: Peer, tmp_path: Path
) -> None:
    async with delivered_by(peer, tmp_path / "road") as at:
        session = await at.road.transferring()
        line = await at.line(session)
        assert line.profile_state == "released"
        assert peer.states()[str(line.iccid)] == "released"
        assert peer.calls() == ["downloadOrder", "confirmOrder"]
        _, package = await at.road.downloads.package(ADA, session.session_id)
        activation = verify_package(package, at.road.signing_key.public_keys, None, at.road.clock.now()).activation
        assert activation["activation_code"] == f"LPA:1${ADDRESS}${line.matching_id}"
        assert activation["manual_setup"]["smdp_address"] == ADDRESS
        await at.install(session)
        await at.road.settle()
        assert (await at.road.now(session)).storage_proof is None, "the profile alone is no session on the card"
        proofs = await at.road.carry(session)
        await at.road.settle()
        now = await at.road.now(session)
        assert (now.state, now.storage_proof) == ("stored", "por")
        assert all(proof.result == "proved" for proof in proofs)
        assert await at.profile_state(session) == "installed"
        await at.road.use(session, GB)
        assert (await at.road.now(session)).state == "exhausted"
        # The next session goes to the same card, and asks nothing more of the SM-DP+.
        following = await at.road.transferring(GB)
        assert following.esim_id == session.esim_id
        await at.road.carry(following)
        await at.road.settle()
        assert (await at.road.now(following)).state == "stored"
        assert len(peer.calls()) == 2


async def test_the_profile_that_is_handed_over_holds_no_record(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        _, profile = at.download((await at.line(session)).matching_id)
        assert session.session_id.replace("-", "") not in profile.hex()
        assert b"\xff" * RECORD_OCTETS in profile


async def test_what_the_smdp_tells_moves_the_profile_once_and_only_forward(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road") as at:
        session = await at.road.transferring()
        await at.tell(session, 1)
        assert (await at.order(session)).eid == EID
        await at.tell(session, 3)
        assert await at.profile_state(session) == "downloaded"
        await at.tell(session, 4)
        for _ in range(2):
            await at.tell(session, 4, same=True)
        await at.tell(session, 3)
        await at.tell(session, 4, "late")
        await at.tell(session, 1, "later")
        assert await at.profile_state(session) == "installed"
        assert (await at.road.now(session)).state == "transferring", "only the card's own proof stores it"


async def test_points_that_come_in_another_order_end_at_the_same(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=6) as at:
        for number, user in enumerate([ADA, BOLA]):
            session = await at.road.transferring(user_id=user)
            points = [1, 3, 4]
            random.Random(number).shuffle(points)
            for point in points:
                await at.tell(session, point)
            assert await at.profile_state(session) == "installed"


async def test_another_card_that_fails_takes_nothing_from_the_one_that_has_begun(
    peer: Peer, tmp_path: Path
) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        await at.tell(session, 1)
        another = Eid.with_check_digits("890490320000000000000000000077")
        for point in (1, 3, 4):
            await at.tell(session, point, "another card", eid=another)
        assert await at.profile_state(session) == "released"
        assert (await at.order(session)).eid == EID
        assert (await at.road.now(session)).state == "transferring"
        await at.tell(session, 4)
        assert await at.profile_state(session) == "installed"


async def test_the_operator_may_take_the_smdps_word(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", takes_provider_status=True) as at:
        session = await at.road.transferring()
        await at.tell(session, 3)
        assert (await at.road.now(session)).storage_proof is None
        await at.tell(session, 4)
        now = await at.road.now(session)
        assert (now.state, now.storage_proof) == ("stored", "provider_status")
        following = await at.road.transferring()
        assert following.esim_id == session.esim_id
        now = await at.road.now(following)
        assert (now.state, now.storage_proof) == ("stored", "provider_status")


@pytest.mark.parametrize("told_first", [True, False])
async def test_free_data_has_its_limit_for_each_card_that_the_smdp_names(
    peer: Peer, tmp_path: Path, told_first: bool
) -> None:
    """Two accounts, one card: what is too much for it does not stay, whether we hear of the card soon or late."""
    rules = FreeDataRules(card_allowance_octets=5 * GB)
    async with delivered_by(peer, tmp_path / "road", rules=rules) as at:
        for user, allowed in ((ADA, True), (BOLA, False)):
            session = await at.road.transferring(5 * GB, user)
            if told_first:
                await at.tell(session, 4)
            await at.install(session)
            await at.road.carry(session)
            await at.road.settle()
            if not told_first:
                assert (await at.road.now(session)).state == "stored"
                await at.tell(session, 4)
            now = await at.road.now(session)
            assert now.state == ("stored" if allowed else "failed" if told_first else "revoked")
            assert (await at.order(session)).eid == EID


async def test_a_card_that_fails_it_fails_the_transfer_which_is_ordered_anew(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road") as at:
        session = await at.road.transferring()
        await at.tell(session, 3)
        walk = peer.server.download((await at.line(session)).matching_id)
        walk.initiate()
        walk.authenticate()
        walk.get_package()
        failed = _failed_result(walk, peer)
        walk.notify(failed)
        await at.tell(session, 4, "no memory (8.1/4.2)")
        now = await at.road.now(session)
        assert now.state == "downloaded"
        assert "no memory" in (now.state_reason or "")
        for _ in range(2):
            await at.tell(session, 4, "no memory (8.1/4.2)", same=True)
        await at.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        await at.road.settle()
        assert await at.profile_state(session) == "released"
        assert peer.calls() == [
            *("downloadOrder", "confirmOrder", "cancelOrder", "downloadOrder", "confirmOrder"),
        ]
        await at.install(session)
        await at.road.carry(session)
        await at.road.settle()
        assert (await at.road.now(session)).state == "stored"


async def test_a_cancelled_session_cancels_the_order_and_its_user_keeps_the_line(
    peer: Peer, tmp_path: Path
) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        line = await at.line(session)
        await at.road.downloads.cancel(ADA, session.session_id)
        await at.road.settle()
        assert peer.calls()[-1] == "cancelOrder"
        assert peer.states()[str(line.iccid)] == "available"
        with pytest.raises(Es9FailedError):
            at.download(line.matching_id)
        assert await at.profile_state(session) == "allocated"

        def change(connection: Connection) -> None:
            with pytest.raises(NumbersUsedUpError):  # a stock is not emptied by ordering and cancelling
                at.road.orders.allocate(connection, BOLA)

        await at.road.database.write(change)
        again = await at.road.transferring()
        assert again.esim_id == session.esim_id
        await at.install(again)
        await at.road.carry(again)
        await at.road.settle()
        assert (await at.road.now(again)).state == "stored"


async def test_an_expired_session_cancels_its_order_too(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        at.road.clock.advance(session.valid_until - at.road.clock.now())
        await at.road.settle()
        assert (await at.road.now(session)).state == "expired"
        assert peer.states()[str((await at.line(session)).iccid)] == "available"


async def test_what_is_downloaded_already_is_not_given_to_another(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.transferring()
        at.download((await at.line(session)).matching_id)
        await at.road.downloads.cancel(ADA, session.session_id)
        await at.road.settle()
        assert peer.calls()[-1] == "cancelOrder"
        assert await at.profile_state(session) == "unavailable"
        await at.tell(session, 4)
        assert await at.profile_state(session) == "unavailable"


async def test_a_line_is_given_out_once_its_batch_is_ready_and_then_no_more(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road", lines=0) as at:
        road = at.road

        def look(connection: Connection) -> None:
            assert not road.orders.has_numbers(connection)

        await road.database.read(look)
        await fill(road, peer, 2)
        given = set()

        def change(connection: Connection) -> None:
            assert road.orders.has_numbers(connection)
            for user in (ADA, BOLA):
                given.add(road.orders.allocate(connection, user).iccid)
            with pytest.raises(NumbersUsedUpError):
                road.orders.allocate(connection, ADA)

        await road.database.write(change)
        assert len(given) == 2


async def test_forged_progress_and_progress_about_nobody_changes_nothing(peer: Peer, tmp_path: Path) -> None:
    async with delivered_by(peer, tmp_path / "road") as at:
        session = await at.road.transferring()
        line = await at.line(session)
        assert at.road.peer is not None
        progress = at.road.peer.progress
        assert progress is not None
        about = Progress("x", str(line.iccid), None, 4, None)
        for certificate in (None, b"", b"an operator's"):
            with pytest.raises(RspRefusedError, check=lambda error: error.status.subject_code == "1.1"):
                await progress.take(certificate, about)
        with pytest.raises(RspRefusedError, check=lambda error: error.status.reason_code == "3.9"):
            await progress.take(b"the peer's", Progress("x", "8999999999999999999", None, 4, None))
        await at.road.settle()
        assert await at.profile_state(session) == "released"


@pytest.mark.parametrize("seed", range(6))
async def test_answers_lost_after_the_smdp_did_it_are_asked_for_again_and_done_once(
    peer: Peer, tmp_path: Path, seed: int
) -> None:
    """Answers are lost at random, and the road is closed and opened again: still one order, and one to cancel."""
    chance = random.Random(seed)

    def lossy(_function: str, _body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
        return None if chance.random() < 0.5 else answer

    peer.alter = lossy
    async with delivered_by(peer, tmp_path / "road", lines=2) as at:
        session = await at.road.downloaded()
        await at.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
    for _ in range(40):
        async with delivered_by(peer, tmp_path / "road", lines=0) as at:
            result = await at.deliver(session.esim_id)
            assert not isinstance(result, Refused)
            if isinstance(result, Done):
                break
    else:
        pytest.fail("it never became known")
    async with delivered_by(peer, tmp_path / "road", lines=0) as at:
        iccid = str((await at.line(session)).iccid)
        mine = [body for _, body in peer.front.asked if body["iccid"].startswith(iccid)]
        identifiers = {body["header"]["functionCallIdentifier"] for body in mine}
        assert len(identifiers) == 2
        assert peer.states()[iccid] == "released"
        await at.road.downloads.cancel(ADA, session.session_id)
        assert at.road.peer is not None
        work = Entry(1, PEER_CANCEL, "one", {"esim_id": session.esim_id, "attempt": 1}, 1, "a test")
        results = [await at.road.peer.delivery.cancel(work) for _ in range(40)]
        assert results[-1] == Done()
        assert not any(isinstance(it, Refused) for it in results)
        assert await at.profile_state(session) == "allocated"
        assert peer.states()[iccid] == "available"
        assert peer.calls().count("cancelOrder") <= results.index(Done()) + 1


async def test_a_session_cancelled_while_its_order_is_unknown_leaves_nothing_at_the_smdp(
    peer: Peer, tmp_path: Path
) -> None:
    peer.alter = lambda function, _body, answer: None if function == "confirmOrder" else answer
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.downloaded()
        await at.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        assert isinstance(await at.deliver(session.esim_id), Unknown)
        iccid = str((await at.line(session)).iccid)
        assert peer.states()[iccid] == "released", "it did it, and nobody here knows"
        await at.road.downloads.cancel(ADA, session.session_id)
        await at.road.settle()
        assert "cancelOrder" not in peer.calls(), "nothing else is asked before that is known"
        peer.alter = None
        at.road.clock.advance(timedelta(seconds=3600))
        await at.road.settle()
        assert peer.calls()[-2:] == ["confirmOrder", "cancelOrder"]
        assert peer.states()[iccid] == "available"


async def test_a_card_may_be_faster_than_the_answer_to_the_order(peer: Peer, tmp_path: Path) -> None:
    peer.alter = lambda function, _body, answer: None if function == "confirmOrder" else answer
    async with delivered_by(peer, tmp_path / "road", lines=1) as at:
        session = await at.road.downloaded()
        await at.road.downloads.transfer_to_esim(session.session_id, session.esim_id)
        assert isinstance(await at.deliver(session.esim_id), Unknown)
        await at.tell(session, 4)
        peer.alter = None
        at.road.clock.advance(timedelta(seconds=3600))
        await at.road.settle()
        at.road.clock.advance(timedelta(seconds=3600))
        await at.road.settle()
        assert await at.profile_state(session) == "installed"


def _failed_result(walk: Any, peer: Peer) -> bytes:
    from kswifi.rsp.messages.notifications import InstallError, InstallFailure

    transaction = bytes.fromhex(walk.transaction_id)
    failure = InstallFailure(5, InstallError.INSUFFICIENT_MEMORY)
    result: bytes = walk.card.install_result(
        transaction, walk.metadata.iccid, ADDRESS, peer.server.oid, failure
    ).encode()
    return result
