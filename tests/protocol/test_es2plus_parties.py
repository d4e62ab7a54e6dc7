"""ES2+: how an operator is called back, who is let in by which port and for how long, and what is no request."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kswifi.bench.es9_client import Es9Client, Es9FailedError
from kswifi.rsp import signatures
from kswifi.rsp.messages.download import DownloadError, PrepareDownloadError
from tests.support.cards import iccid
from tests.support.clocks import ManualClock
from tests.support.es2 import Callback, callback_server, codes, registered
from tests.support.smdp import NOW, RULES, authenticated, refused, running_smdp

_FIELDS = (
    "header",
    "functionRequesterIdentifier",
    "functionCallIdentifier",
    "iccid",
    "eid",
    "profileType",
    "matchingId",
    "confirmationCode",
    "smdsAddress",
    "releaseFlag",
    "finalProfileStatusIndicator",
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Es9Client]:
    folder = tmp_path_factory.mktemp("asked")
    with running_smdp(folder / "smdp", clock=ManualClock(NOW), es2_on_es9=False) as server:
        operator = registered(server, folder, "asks")
        yield operator.client()
        operator.close()


def test_a_certificate_whose_time_is_over_is_not_let_in(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with running_smdp(tmp_path / "smdp", clock=clock, es2_on_es9=False) as server:
        operator = registered(server, tmp_path, "brief")
        with codes("8.2.1/3.9"):
            operator.ask("releaseProfile", iccid=iccid(1))
        clock.advance(timedelta(days=31))
        with codes("1.1/1.1"):
            operator.ask("releaseProfile", iccid=iccid(1))
        operator.close()


def test_es2plus_is_not_on_the_port_of_es9plus_unless_that_is_set(tmp_path: Path) -> None:
    with running_smdp(tmp_path / "smdp", clock=ManualClock(NOW), es2_on_es9=False) as server:
        operator = registered(server, tmp_path, "one")
        assert operator.client(server.smdp.port).post("downloadOrder", b"{}").status == 404
        operator.close()


# --- callbacks


def test_an_operator_hears_of_each_point_of_a_download(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with (
        running_smdp(tmp_path / "smdp", rules=RULES, clock=clock, es2_on_es9=False) as server,
        callback_server(tmp_path) as callback,
    ):
        told = registered(server, tmp_path, "told", callback=callback)
        told.stock(400)
        told.ordered(400)
        digest = signatures.confirmation_code_digest("4711")
        confirmed = told.ask("confirmOrder", iccid=iccid(400), confirmationCode="4711", releaseFlag=False)
        with refused("8.2/1.2"):
            authenticated(server, confirmed["matchingId"], code=digest)
        told.ask("releaseProfile", iccid=iccid(400))
        walk = authenticated(server, confirmed["matchingId"], code=signatures.confirmation_code_digest("1"))
        with refused("8.2.7/3.8"):
            walk.get_package()
        walk = authenticated(server, confirmed["matchingId"], code=digest)
        walk.get_package()
        walk.notify(walk.install_result(server.oid))
        heard = callback.wait_for(6)
        assert callback.points() == [
            (1, "8.2/1.2"),
            (1, "Executed-Success"),
            (1, "Executed-Success"),
            (2, "8.2.7/3.8"),
            (3, "Executed-Success"),
            (4, "Executed-Success"),
        ]
        last = next(each for each in heard if each["notificationPointId"] == 4)
        assert (last["iccid"], last["eid"], last["profileType"]) == (f"{iccid(400)}F", walk.card.eid, "prepaid")
        assert last["header"]["functionRequesterIdentifier"] == server.oid
        assert {name for name, _ in callback.asked} == {"handleDownloadProgressInfo"}
        told.close()


def test_an_operator_hears_of_a_package_that_was_not_given(tmp_path: Path) -> None:
    """Point 3 has failures of its own: the card prepares no download, or the order ended since the card asked."""
    with (
        running_smdp(tmp_path / "smdp", rules=RULES, clock=ManualClock(NOW), es2_on_es9=False) as server,
        callback_server(tmp_path) as callback,
    ):
        told = registered(server, tmp_path, "told", callback=callback)
        told.stock(410, 411)
        told.ordered(410)
        confirmed = told.ask("confirmOrder", iccid=iccid(410), releaseFlag=True)
        walk = authenticated(server, confirmed["matchingId"])
        error = PrepareDownloadError(bytes.fromhex(walk.transaction_id), DownloadError.INVALID_SIGNATURE)
        for _ in range(2):
            with pytest.raises(Es9FailedError):
                walk.get_package(error.encode())
        assert told.order_of(410).profile_state == "released", "another try may do better"
        told.ordered(411)
        confirmed = told.ask("confirmOrder", iccid=iccid(411), releaseFlag=True)
        walk = authenticated(server, confirmed["matchingId"])
        told.ask("cancelOrder", iccid=iccid(411), finalProfileStatusIndicator="Unavailable")
        for _ in range(2):
            with refused("8.2/3.7"):
                walk.get_package()
        callback.wait_for(4)
        assert callback.points() == [
            (1, "Executed-Success"),
            (1, "Executed-Success"),
            (3, "8.1/4.2"),
            (3, "8.2/3.7"),
        ]
        told.close()


def test_a_callback_that_is_down_hears_of_it_later(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with (
        running_smdp(tmp_path / "smdp", rules=RULES, clock=clock, es2_on_es9=False) as server,
        callback_server(tmp_path) as callback,
    ):
        told = registered(server, tmp_path, "told", callback=callback)
        told.stock(401)
        told.ordered(401)
        confirmed = told.ask("confirmOrder", iccid=iccid(401), releaseFlag=True)

        def down(_callback: Callback, handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
            callback.behave = None
            handler.send_response(503)
            handler.end_headers()

        callback.behave = down
        authenticated(server, confirmed["matchingId"])
        while not callback.heard:
            clock.advance(timedelta(seconds=1))
            with callback.news:
                callback.news.wait_for(lambda: bool(callback.heard), 0.1)
        heard = callback.wait_for(1)[0]
        assert heard["notificationPointId"] == 1
        identifiers = [body["header"]["functionCallIdentifier"] for _, body in callback.asked]
        assert len(identifiers) >= 2
        assert len(set(identifiers)) == 1, "a repeated call keeps its identifier"
        assert heard["timestamp"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "the time of the event, not of the call"
        told.close()


# --- what is no request


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    function=st.sampled_from(["downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile"]),
    body=st.binary(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12),
        lambda inner: st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=6) | st.lists(inner, max_size=3),
        max_leaves=12,
    ),
)
def test_whatever_is_sent_is_answered_cleanly(asked: Es9Client, function: str, body: Any) -> None:
    answer = asked.post(function, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert answer.status in (200, 400, 413, 415)
    assert answer.codes is not None
    assert set(answer.json()) == {"header"}
