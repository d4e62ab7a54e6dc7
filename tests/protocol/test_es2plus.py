"""ES2+ over mutual TLS: every function, row by row with its codes, and operators who do not know of each other."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from structlog.testing import capture_logs

from kswifi.bench.es9_client import Es9Client
from kswifi.bootstrap.metrics.es2plus import Es2PlusMetrics
from kswifi.esim.model import ProfileState
from kswifi.esim.operators.operators import add_operator, remove_operator
from kswifi.kernel.numbers import Eid
from kswifi.rsp import signatures
from kswifi.servers.rsp.es2plus import PATH
from tests.support.cards import iccid, profile_package
from tests.support.clocks import ManualClock
from tests.support.es2 import Operator, codes, refresh, registered, self_signed
from tests.support.smdp import (
    ADDRESS,
    NOW,
    PROFILE,
    RULES,
    RunningSmdp,
    authenticated,
    client_context,
    refused,
    running_smdp,
)

OTHER_EID = Eid.with_check_digits("890490320000000000000000000099")
S = ProfileState


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSmdp]:
    folder = tmp_path_factory.mktemp("smdp")
    with running_smdp(folder, rules=RULES, clock=ManualClock(NOW), es2_on_es9=True) as running:
        yield running


@pytest.fixture(scope="module")
def mine(server: RunningSmdp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    operator = registered(server, tmp_path_factory.mktemp("mine"), "mine")
    operator.stock(*range(100, 130))
    yield operator
    operator.close()


@pytest.fixture(scope="module")
def other(server: RunningSmdp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    operator = registered(server, tmp_path_factory.mktemp("other"), "other")
    operator.stock(200, 201, profile_type="theirs")
    yield operator
    operator.close()


_numbers = iter(range(100, 130))


@pytest.fixture
def number() -> int:
    return next(_numbers)


# --- the whole road


def test_an_order_goes_from_stock_to_a_card(server: RunningSmdp, mine: Operator, number: int) -> None:
    card = server.card()
    assert mine.order_of(number).profile_state is S.AVAILABLE
    assert mine.ask("downloadOrder", iccid=f"{iccid(number)}F") == {"iccid": f"{iccid(number)}F"}
    assert mine.order_of(number).profile_state is S.ALLOCATED
    confirmed = mine.ask("confirmOrder", iccid=iccid(number), releaseFlag=False)
    assert confirmed["smdpAddress"] == ADDRESS
    assert "eid" not in confirmed
    assert mine.order_of(number).profile_state is S.CONFIRMED
    with refused("8.2/1.2"):  # not released
        authenticated(server, confirmed["matchingId"], card=card)
    assert mine.ask("releaseProfile", iccid=iccid(number)) == {}
    assert mine.order_of(number).profile_state is S.RELEASED
    walk = authenticated(server, confirmed["matchingId"], card=card)
    assert (walk.metadata.service_provider_name, walk.metadata.iccid) == ("mine", iccid(number).to_bytes())
    walk.get_package()
    octets = b"".join(getattr(event, "octets", b"") for event in walk.open_package())
    assert octets == profile_package(number)
    assert mine.order_of(number).profile_state is S.DOWNLOADED
    with codes("8.2.1/3.3"):  # it is on its way to a card
        mine.ask("cancelOrder", iccid=iccid(number), finalProfileStatusIndicator="Available")
    walk.notify(walk.install_result(server.oid))
    assert mine.order_of(number).profile_state is S.INSTALLED
    with codes("8.2.1/3.3"):
        mine.ask("downloadOrder", iccid=iccid(number))


def test_an_order_for_a_card_with_a_code_and_no_matching_id(
    server: RunningSmdp, mine: Operator, number: int
) -> None:
    card = server.card()
    mine.ask("downloadOrder", iccid=iccid(number), eid=card.eid)
    assert mine.order_of(number).profile_state is S.LINKED
    confirmed = mine.ask(
        "confirmOrder", iccid=iccid(number), matchingId="", confirmationCode="4711", releaseFlag=True
    )
    assert confirmed == {"matchingId": "", "smdpAddress": ADDRESS, "eid": card.eid}
    digest = signatures.confirmation_code_digest("4711")
    walk = authenticated(server, None, card=card, code=signatures.confirmation_code_digest("0815"))
    with refused("8.2.7/3.8"):
        walk.get_package()
    walk = authenticated(server, None, card=card, code=digest)
    walk.get_package()
    walk.notify(walk.install_result(server.oid))
    assert mine.order_of(number).profile_state is S.INSTALLED


# --- downloadOrder


def test_download_order(mine: Operator, other: Operator, number: int) -> None:
    with codes("8.2.1/3.9"):
        mine.ask("downloadOrder", iccid=iccid(999))
    with codes("8.2.1/3.9"):  # a profile of another operator is as unknown as none
        mine.ask("downloadOrder", iccid=iccid(200))
    mine.ordered(number)
    with codes("8.2.1/3.3"):
        mine.ordered(number)
    with codes("8.2.5/3.8"):
        mine.ask("downloadOrder", iccid=iccid(number), profileType="postpaid")
    with codes("8.2.5/3.9"):
        mine.ask("downloadOrder", profileType="theirs")
    assert other.ask("downloadOrder", profileType="theirs") == {"iccid": f"{iccid(200)}F"}
    assert other.ask("downloadOrder", profileType="theirs") == {"iccid": f"{iccid(201)}F"}
    with codes("8.2.5/3.7"):
        other.ask("downloadOrder", profileType="theirs")
    with codes("1.3.1/2.2"):
        mine.ask("downloadOrder")
    for bad in ({"iccid": "12"}, {"iccid": "8" * 21}, {"iccid": iccid(number), "eid": "1" * 31}):
        with codes("1.3.1/2.1"):
            mine.ask("downloadOrder", **bad)


# --- confirmOrder


def test_confirm_order(mine: Operator, other: Operator, number: int) -> None:
    with codes("8.2.1/3.9"):
        mine.ask("confirmOrder", iccid=iccid(999), releaseFlag=True)
    with codes("8.2.1/3.9"):
        mine.ask("confirmOrder", iccid=iccid(200), releaseFlag=True)
    with codes("8.2.1/3.5"):  # nobody ordered it
        mine.ask("confirmOrder", iccid=iccid(number), releaseFlag=True)
    mine.ordered(number)
    with codes("8.2.6/2.1"):  # what anybody may order by this name: no MatchingID
        mine.ask("confirmOrder", iccid=iccid(number), matchingId=PROFILE, releaseFlag=True)
    with codes("8.1.1/2.2"):
        mine.ask("confirmOrder", iccid=iccid(number), matchingId="", releaseFlag=True)
    with codes("8.1.1/2.2"):
        mine.ask("confirmOrder", iccid=iccid(number), smdsAddress="lpa.ds.example", releaseFlag=True)
    with codes("8.9/5.1"):
        mine.ask("confirmOrder", iccid=iccid(number), eid=OTHER_EID, smdsAddress="lpa.ds.example", releaseFlag=True)
    assert mine.order_of(number).profile_state is S.ALLOCATED  # what was refused changed nothing
    wanted: dict[str, Any] = {"iccid": iccid(number), "matchingId": f"MINE-{number}", "releaseFlag": True}
    wanted["eid"] = OTHER_EID
    assert mine.ask("confirmOrder", **wanted)["matchingId"] == f"MINE-{number}"
    order = mine.order_of(number)
    assert (order.profile_state, order.eid) == (S.RELEASED, OTHER_EID)
    with codes("8.2.1/3.5"):
        mine.ask("confirmOrder", **wanted)


def test_a_matching_id_and_an_eid_are_taken_once(mine: Operator, server: RunningSmdp) -> None:
    first, second = next(_numbers), next(_numbers)
    mine.ordered(first)
    mine.ask("confirmOrder", iccid=iccid(first), matchingId="TWICE", releaseFlag=False)
    mine.ordered(second, eid=server.card().eid)
    with codes("8.2.6/3.3"):
        mine.ask("confirmOrder", iccid=iccid(second), matchingId="TWICE", releaseFlag=False)
    with codes("8.1.1/3.10"):
        mine.ask("confirmOrder", iccid=iccid(second), eid=OTHER_EID, releaseFlag=False)
    assert mine.order_of(second).profile_state is S.LINKED


# --- cancelOrder


@pytest.mark.parametrize("state", ["allocated", "linked", "confirmed", "released"])
def test_cancel_order_from_every_state_before_a_download(
    state: str, server: RunningSmdp, mine: Operator, number: int
) -> None:
    eid = {"eid": OTHER_EID} if state == "linked" else {}
    mine.ordered(number, **eid)
    matching_id = f"GONE-{number}"
    if state in ("confirmed", "released"):
        mine.ask("confirmOrder", iccid=iccid(number), matchingId=matching_id, releaseFlag=state == "released")
    with codes("8.2.6/3.10"):
        mine.ask(
            "cancelOrder", iccid=iccid(number), matchingId="ANOTHER", finalProfileStatusIndicator="Unavailable"
        )
    with codes("8.1.1/3.10"):
        mine.ask(
            "cancelOrder", iccid=iccid(number), eid=server.card().eid, finalProfileStatusIndicator="Unavailable"
        )
    if eid:
        with codes("8.1.1/2.2"):
            mine.ask("cancelOrder", iccid=iccid(number), finalProfileStatusIndicator="Available")
    assert mine.ask("cancelOrder", iccid=iccid(number), **eid, finalProfileStatusIndicator="Available") == {}
    assert mine.order_of(number).profile_state is S.AVAILABLE
    assert mine.order_of(number).eid is None
    with refused("8.2.6/3.8"):
        authenticated(server, matching_id)
    mine.ordered(number)  # it can be ordered again, by the MatchingID it had before too
    mine.ask("confirmOrder", iccid=iccid(number), matchingId=matching_id, releaseFlag=True)
    mine.ask("cancelOrder", iccid=iccid(number), matchingId=matching_id, finalProfileStatusIndicator="Unavailable")
    assert mine.order_of(number).profile_state is S.UNAVAILABLE
    with codes("8.2.1/3.3"):
        mine.ordered(number)


def test_cancel_order_is_for_ones_own_orders(mine: Operator, other: Operator, number: int) -> None:
    mine.ordered(number)
    for unknown in (iccid(999), iccid(number)):
        with codes("8.2.1/3.9"):
            other.ask("cancelOrder", iccid=unknown, finalProfileStatusIndicator="Available")
    mine.ask("cancelOrder", iccid=iccid(number), finalProfileStatusIndicator="Available")
    with codes("8.2.1/3.5"):
        mine.ask("cancelOrder", iccid=iccid(number), finalProfileStatusIndicator="Available")


def test_a_card_that_began_before_a_cancel_gets_nothing_of_the_next_order(
    server: RunningSmdp, mine: Operator, number: int
) -> None:
    mine.ordered(number)
    mine.ask("confirmOrder", iccid=iccid(number), matchingId=f"OLD-{number}", releaseFlag=True)
    walk = authenticated(server, f"OLD-{number}")
    mine.ask("cancelOrder", iccid=iccid(number), finalProfileStatusIndicator="Available")
    mine.ordered(number)
    mine.ask("confirmOrder", iccid=iccid(number), matchingId=f"NEW-{number}", releaseFlag=True)
    with refused("8.2/3.7"):
        walk.get_package()
    assert mine.order_of(number).profile_state is S.RELEASED


# --- releaseProfile


def test_release_profile(mine: Operator, other: Operator, number: int) -> None:
    with codes("8.2.1/3.9"):
        other.ask("releaseProfile", iccid=iccid(number))
    with codes("8.2.1/3.5"):
        mine.ask("releaseProfile", iccid=iccid(number))
    mine.ordered(number)
    with codes("8.2.1/3.5"):
        mine.ask("releaseProfile", iccid=iccid(number))
    mine.ask("confirmOrder", iccid=iccid(number), releaseFlag=False)
    mine.ask("releaseProfile", iccid=iccid(number))
    with codes("8.2.1/3.5"):
        mine.ask("releaseProfile", iccid=iccid(number))


# --- the same call again


def test_the_same_call_again_gets_the_same_answer(mine: Operator, number: int) -> None:
    first = mine.ask("downloadOrder", "call-1", profileType="prepaid")
    assert mine.ask("downloadOrder", "call-1", profileType="prepaid") == first
    assert mine.ask("downloadOrder", "call-2", profileType="prepaid") != first
    wanted = {"iccid": first["iccid"], "releaseFlag": False}
    confirmed = mine.ask("confirmOrder", "call-3", **wanted)
    assert mine.ask("confirmOrder", "call-3", **wanted) == confirmed
    for _ in range(2):
        assert mine.ask("releaseProfile", "call-4", iccid=first["iccid"]) == {}
    for _ in range(2):
        cancelled = {"iccid": first["iccid"], "finalProfileStatusIndicator": "Available"}
        assert mine.ask("cancelOrder", "call-5", **cancelled) == {}
    with codes("8.2.1/3.5"):  # the identifier alone does not make it the same call
        mine.ask("confirmOrder", "call-3", **wanted, confirmationCode="1")


def test_calls_of_two_operators_with_one_identifier_are_two(mine: Operator, other: Operator, number: int) -> None:
    mine.ask("downloadOrder", "shared", iccid=iccid(number))
    with codes("8.2.1/3.9"):
        other.ask("downloadOrder", "shared", iccid=iccid(number))


# --- who asks


def test_who_asks_is_known_by_the_connection_alone(server: RunningSmdp, mine: Operator, other: Operator) -> None:
    pem = mine.keyed.certificate.public_bytes(Encoding.PEM).decode().replace("\n", " ")
    client = other.client()
    for claim in ("mine", "2.999.1", pem):
        answer = client.post(
            "downloadOrder",
            {"header": {"functionRequesterIdentifier": claim, "functionCallIdentifier": "x"}, "iccid": iccid(129)},
            {"X-Client-Certificate": pem, "X-SSL-Client-Cert": pem, "X-Forwarded-Client-Cert": pem},
        )
        assert answer.codes == "8.2.1/3.9"


def test_strangers_do_not_get_in(server: RunningSmdp, mine: Operator, tmp_path: Path) -> None:
    assert server.smdp.operators is not None
    own_port, shared = server.smdp.operators.port or 0, server.smdp.port
    stranger = Operator("stranger", server, self_signed(tmp_path, "stranger", at=NOW))
    # A registered certificate vouches for itself alone, not for what its key signs.
    for port in (own_port, shared):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            stranger.client(port).post("downloadOrder", b"{}")
    nobody = Es9Client(("127.0.0.1", own_port), client_context(server.pki), ADDRESS, PATH)
    with nobody, pytest.raises((ssl.SSLError, ConnectionError)):
        nobody.post("downloadOrder", b"{}")
    asked = {
        "header": {"functionRequesterIdentifier": "mine", "functionCallIdentifier": "x"},
        "profileType": "prepaid",
    }
    with Es9Client(("127.0.0.1", shared), client_context(server.pki), ADDRESS, PATH) as nobody:
        assert nobody.post("downloadOrder", asked).codes == "1.1/1.1"
    assert mine.client(shared).post("downloadOrder", asked).codes is None
    stranger.close()


def test_a_removed_operator_is_refused_at_once(server: RunningSmdp, tmp_path: Path) -> None:
    gone = registered(server, tmp_path, "gone")
    gone.stock(300, 301)
    gone.ordered(300)
    confirmed = gone.ask("confirmOrder", iccid=iccid(300), releaseFlag=True)
    server.write(lambda connection: remove_operator(connection, "gone"))
    with codes("1.1/1.1"):
        gone.ask("releaseProfile", iccid=iccid(300))
    with pytest.raises(AssertionError, match="no order"):
        _exists(gone, 301)
    walk = authenticated(server, confirmed["matchingId"])  # its customer is served all the same
    walk.get_package()
    gone.close()


def _exists(operator: Operator, number: int) -> None:
    try:
        operator.order_of(number)
    except IndexError:
        raise AssertionError("no order") from None


def test_another_certificate_of_the_same_operator(server: RunningSmdp, mine: Operator, tmp_path: Path) -> None:
    second = self_signed(tmp_path, "second", at=NOW)
    server.write(lambda connection: add_operator(connection, "mine", second.certificate))
    refresh(server)
    renewed = Operator("mine", server, second)
    with codes("8.2.1/3.9"):
        renewed.ask("releaseProfile", iccid=iccid(999))
    renewed.close()


def test_what_was_counted(server: RunningSmdp, mine: Operator) -> None:
    assert server.smdp.operators is not None
    before = dict(server.smdp.operators.calls)
    with codes("8.2.1/3.9"):
        mine.ask("releaseProfile", iccid=iccid(999))
    assert mine.client().post("releaseProfile", json.dumps({"iccid": 7}).encode()).status == 400
    after = server.smdp.operators.calls
    for outcome in ("8.2.1/3.9", "malformed"):
        key = ("releaseProfile", outcome)
        assert after[key] == before.get(key, 0) + 1


def test_a_requester_that_was_removed_is_counted_and_logged_without_its_certificate(
    server: RunningSmdp, tmp_path: Path
) -> None:
    removed = self_signed(tmp_path, "removed", at=NOW)
    server.write(lambda connection: add_operator(connection, "removed", removed.certificate))
    refresh(server)
    server.write(lambda connection: remove_operator(connection, "removed"))
    stranger = Operator("removed", server, removed)
    with capture_logs() as lines, codes("1.1/1.1"):
        stranger.ask("releaseProfile", iccid=iccid(999))
    stranger.close()
    assert [it for it in lines if it["event"] == "es2plus_requester_refused"] == [
        {"event": "es2plus_requester_refused", "function": "releaseProfile", "log_level": "warning"}
    ]
    assert server.smdp.operators is not None
    text = asyncio.run(Es2PlusMetrics(server.smdp.operators.calls).text()).decode()
    assert 'kswifi_es2plus_calls_total{function="releaseProfile",outcome="1.1/1.1"}' in text
