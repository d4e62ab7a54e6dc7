"""ES9+ over TLS: handleNotification, and transactions that time out."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kswifi.bench.es9_client import Download
from kswifi.esim.model import ProfileState
from kswifi.kernel.numbers import Eid
from kswifi.rsp import signatures
from kswifi.rsp.messages.notifications import BppCommand, InstallError, InstallFailure
from kswifi.rsp.pki import Pki
from tests.support.clocks import ManualClock
from tests.support.smdp import (
    ADDRESS,
    NOW,
    PROFILE,
    RULES,
    RunningSmdp,
    authenticated,
    made_card,
    order,
    order_now,
    refused,
    running_smdp,
)

CODE = signatures.confirmation_code_digest("4711")
OTHER_EID = Eid.with_check_digits("890490320000000000000000000099")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    with running_smdp(tmp_path_factory.mktemp("smdp"), rules=RULES, clock=ManualClock(NOW)) as running:
        yield running


# --- handleNotification


def notified(walk: Download, pending: bytes) -> None:
    answer = walk.client.post("handleNotification", {"pendingNotification": base64.b64encode(pending).decode()})
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-admin-protocol"].startswith("gsma/rsp/v2.")


def test_install_results_are_matched_verified_and_taken_once(server: RunningSmdp) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    walk.get_package()
    tid, iccid = bytes.fromhex(walk.transaction_id), walk.metadata.iccid
    result = walk.card.install_result(tid, iccid, ADDRESS, server.oid)
    for ignored in (
        replace(result, signature=bytes(range(64))),
        walk.card.install_result(bytes(16), iccid, ADDRESS, server.oid),
        walk.card.install_result(tid, bytes(10), ADDRESS, server.oid),
        made_card(server, NOW, OTHER_EID).install_result(tid, iccid, ADDRESS, server.oid),
    ):
        notified(walk, ignored.encode())
        assert order_now(server, placed).profile_state is ProfileState.DOWNLOADED
    for _ in range(3):
        notified(walk, result.encode())
        assert order_now(server, placed).profile_state is ProfileState.INSTALLED
    failure = InstallFailure(BppCommand.LOAD_PROFILE_ELEMENTS, InstallError.INSUFFICIENT_MEMORY)
    notified(walk, walk.card.install_result(tid, iccid, ADDRESS, server.oid, failure).encode())
    assert order_now(server, placed).profile_state is ProfileState.INSTALLED


@pytest.mark.parametrize("reason", list(InstallError))
def test_every_error_of_a_card_puts_the_profile_in_state_error(server: RunningSmdp, reason: InstallError) -> None:
    placed = order(server)
    walk = authenticated(server, placed)
    walk.get_package()
    failure = InstallFailure(BppCommand.LOAD_PROFILE_ELEMENTS, reason, b"\x30\x00")
    tid = bytes.fromhex(walk.transaction_id)
    notified(walk, walk.card.install_result(tid, walk.metadata.iccid, ADDRESS, server.oid, failure).encode())
    done = order_now(server, placed)
    assert done.profile_state is ProfileState.ERROR
    assert f"reason {int(reason)}" in (done.state_reason or "")
    with refused("8.2.6/3.8"):
        authenticated(server, placed)


def test_transactions_time_out(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with running_smdp(tmp_path, clock=clock) as server:
        walk = server.download(PROFILE)
        walk.initiate()
        response = walk.authenticate_response()
        clock.advance(timedelta(minutes=11))
        with refused("8.10.1/3.9"):
            walk.authenticate(response)
        walk = authenticated(server, PROFILE)
        bound = authenticated(server, PROFILE)
        bound.get_package()
        clock.advance(timedelta(hours=1, seconds=1))
        with refused("8.10.1/3.9"):
            walk.get_package()
        notified(bound, bound.install_result(server.oid))  # a card reports when it can
        pki: Pki = server.pki
        assert pki.smdp_identities()
