"""Install results that are delivered out of their order: successes, failures and deletions of one card."""

from collections.abc import Iterator

import pytest

from kswifi.bench.es9_client import Download
from kswifi.bench.light_card import LightCard
from kswifi.esim.model import ProfileState
from kswifi.esim.smdp.rsp_model import ProfileOrder
from kswifi.kernel.numbers import Eid
from kswifi.rsp.messages.download import CancelReason
from kswifi.rsp.messages.metadata import NotificationEvent
from kswifi.rsp.messages.notifications import (
    BppCommand,
    InstallError,
    InstallFailure,
    NotificationMetadata,
    OtherSignedNotification,
)
from tests.support.clocks import ManualClock
from tests.support.smdp import (
    ADDRESS,
    NOW,
    RULES,
    RunningSmdp,
    authenticated,
    made_card,
    order,
    order_now,
    running_smdp,
)

S = ProfileState
OTHER_EID = Eid.with_check_digits("890490320000000000000000000099")
EXISTS = InstallFailure(BppCommand.STORE_METADATA, InstallError.ICCID_ALREADY_EXISTS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), rules=RULES, clock=ManualClock(NOW)) as running:
        yield running


def downloaded(server: RunningSmdp, placed: ProfileOrder, card: LightCard) -> Download:
    walk = authenticated(server, placed, card=card)
    walk.get_package()
    return walk


def result(server: RunningSmdp, walk: Download, failure: InstallFailure | None = None) -> bytes:
    """Sign the result of a download; each has the next sequence number."""
    tid = bytes.fromhex(walk.transaction_id)
    return walk.card.install_result(tid, walk.metadata.iccid, ADDRESS, server.oid, failure).encode()


def deletion(card: LightCard, iccid: bytes) -> bytes:
    card.sequence_number += 1
    about = NotificationMetadata.build(
        sequence_number=card.sequence_number, event=NotificationEvent.DELETE, address=ADDRESS, iccid=iccid
    )
    certificates = (card.identity.euicc.certificate.raw, card.identity.eum.raw)
    return OtherSignedNotification(about, card.sign(about.raw), *certificates).encode()


def test_a_success_that_is_delivered_after_the_failure_of_a_retry_wins(server: RunningSmdp) -> None:
    """Its delivery failed, so the phone tried again, and the card said that it has the profile already."""
    placed, card = order(server), server.card()
    first = downloaded(server, placed, card)
    success = result(server, first)
    second = downloaded(server, placed, card)
    second.notify(result(server, second, EXISTS))
    assert order_now(server, placed).profile_state is S.ERROR
    for _ in range(2):
        first.notify(success)
        done = order_now(server, placed)
        assert (done.profile_state, done.eid, done.sealed_binding) == (S.INSTALLED, card.eid, None)
    second.notify(result(server, second, EXISTS))
    assert order_now(server, placed).profile_state is S.INSTALLED


def test_a_success_that_is_delivered_after_the_cancellation_of_its_download_wins(server: RunningSmdp) -> None:
    placed, card = order(server), server.card()
    walk = downloaded(server, placed, card)
    success = result(server, walk)
    tid = bytes.fromhex(walk.transaction_id)
    cancelled = card.cancellation(tid, server.oid, CancelReason.LOAD_BPP_EXECUTION_ERROR).encode()
    walk.client.call("cancelSession", transactionId=walk.transaction_id, cancelSessionResponse=cancelled)
    assert order_now(server, placed).profile_state is S.ERROR
    walk.notify(success)
    assert order_now(server, placed).profile_state is S.INSTALLED


def test_a_deletion_that_the_card_signed_later_stays(server: RunningSmdp) -> None:
    placed, card = order(server), server.card()
    walk = downloaded(server, placed, card)
    success, deleted = result(server, walk), deletion(card, walk.metadata.iccid)
    walk.notify(deleted)
    assert order_now(server, placed).profile_state is S.DOWNLOADED
    walk.notify(success)
    done = order_now(server, placed)
    assert (done.profile_state, done.state_reason) == (S.ERROR, "the card has deleted the profile again")


def test_a_deletion_before_the_installation_changes_nothing(server: RunningSmdp) -> None:
    """The same profile, deleted and downloaded again: sequence numbers tell which came first."""
    placed, card = order(server), server.card()
    walk = downloaded(server, placed, card)
    deleted = deletion(card, walk.metadata.iccid)
    success = result(server, walk)
    walk.notify(deleted)
    walk.notify(success)
    assert order_now(server, placed).profile_state is S.INSTALLED


def test_another_card_deletes_and_installs_nothing_of_this_order(server: RunningSmdp) -> None:
    placed, card, other = order(server), server.card(), made_card(server, NOW, OTHER_EID)
    walk = downloaded(server, placed, card)
    success = result(server, walk)
    other.sequence_number = 1000
    walk.notify(deletion(other, walk.metadata.iccid))
    again = downloaded(server, placed, card)
    again.notify(result(server, again, EXISTS))
    tid = bytes.fromhex(walk.transaction_id)
    walk.notify(other.install_result(tid, walk.metadata.iccid, ADDRESS, server.oid).encode())
    assert order_now(server, placed).profile_state is S.ERROR
    walk.notify(success)
    assert order_now(server, placed).profile_state is S.INSTALLED


def test_a_success_of_a_transaction_that_was_never_bound_is_passed_over(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    walk.notify(result(server, walk))
    assert order_now(server, placed).profile_state is S.RELEASED
