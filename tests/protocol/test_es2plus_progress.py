"""HandleDownloadProgressInfo as it comes to us: who may tell, what is no request, and that it is kept once."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from kswifi.accounts.sql import user_account
from kswifi.bench.es9_client import Es9Client
from kswifi.esim.external_smdp.line_stock import make_lines, set_ready
from kswifi.esim.lines.service import EsimOrders
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.model import NumberRange
from tests.support.cards import EID
from tests.support.clocks import ManualClock
from tests.support.es2 import Keyed, Operator, registered, self_signed
from tests.support.session_roads import ADA
from tests.support.smdp import NOW, VAULT_KEY, RunningSmdp, running_smdp

NAME = "handleDownloadProgressInfo"


@dataclass
class Told:
    """A server with a line, the SM-DP+ that reports the line's progress, and an operator that may not report."""

    server: RunningSmdp
    teller: Operator
    operator: Operator
    iccid: str

    def body(self, **changes: Any) -> dict[str, Any]:
        """Return a whole request."""
        fields = {
            "header": {"functionRequesterIdentifier": "2.999.10", "functionCallIdentifier": "one"},
            "eid": str(EID),
            "iccid": f"{self.iccid}F",
            "profileType": "kswifi",
            "timestamp": "2026-11-28T12:00:00Z",
            "notificationPointId": 4,
            "notificationPointStatus": {"status": "Executed-Success"},
        }
        return {name: value for name, value in {**fields, **changes}.items() if value is not None}

    def kept(self) -> list[dict[str, Any]]:
        """Return what waits for the worker."""
        query = "SELECT payload FROM outbox_entry WHERE kind = 'esim.peer_progress' ORDER BY id"
        rows = self.server.write(lambda connection: connection.exec_driver_sql(query).scalars().all())
        return [json.loads(row) for row in rows]

    def clear(self) -> None:
        self.server.write(lambda connection: connection.exec_driver_sql("DELETE FROM outbox_entry"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("told")
    keyed: Keyed = self_signed(folder, "teller", at=NOW)
    own = keyed.certificate.public_bytes(Encoding.DER)
    clock = ManualClock(NOW)
    with running_smdp(folder / "smdp", clock=clock, es2_on_es9=True, told_by=(own,)) as server:
        operator = registered(server, folder, "operator")
        teller = Operator("teller", server, keyed)
        yield Told(server, teller, operator, _line(server))
        operator.close()
        teller.close()


def _line(server: RunningSmdp) -> str:
    async def make() -> str:
        vault = SubscriberVault(VAULT_KEY)

        def change(connection: Connection) -> str:
            values = {"user_id": ADA, "email": "a@b.ng", "password_hash": "", "recovery_code_hash": b""}
            connection.execute(insert(user_account).values(**values, created_at=NOW))
            batch = make_lines(connection, vault, NumberRange(), 1)
            set_ready(connection, batch)
            return str(EsimOrders(vault, peer_address="other.example").allocate(connection, ADA).iccid)

        return await server.database.write(change)

    return asyncio.run_coroutine_threadsafe(make(), server.loop).result(20)


def _client(told: Told, who: Operator, port: str) -> Es9Client:
    return who.client(told.server.smdp.port if port == "es9" else None)


@pytest.mark.parametrize("port", ["es2", "es9"])
def test_it_is_kept_once_before_it_is_acknowledged(told: Told, port: str) -> None:
    told.clear()
    client = _client(told, told.teller, port)
    for _ in range(3):
        answer = client.post(NAME, told.body())
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["x-admin-protocol"].startswith("gsma/rsp/v2.")
    (kept,) = told.kept()
    assert (kept["point"], kept["failure"], kept["eid"]) == (4, None, str(EID))
    failed = {"status": "Failed", "statusCodeData": {"subjectCode": "8.1", "reasonCode": "4.8"}}
    assert client.post(NAME, told.body(notificationPointStatus=failed, eid=None)).status == 204
    assert told.kept()[1]["failure"] == "no words (8.1/4.8)", "a reason may come without words, and without a card"
    unsaid = {
        "status": "Failed",
        "statusCodeData": {"subjectCode": "8.1", "reasonCode": "4.8", "message": "\x1b[2J" * 99},
    }
    assert client.post(NAME, told.body(notificationPointStatus=unsaid)).status == 204
    assert told.kept()[2]["failure"].isprintable()


def test_nobody_else_tells_us_anything_and_the_teller_orders_nothing(told: Told, tmp_path: Path) -> None:
    told.clear()
    for port in ("es2", "es9"):
        assert _client(told, told.operator, port).post(NAME, told.body()).codes == "1.1/1.1"
        asked = {"header": told.body()["header"], "iccid": told.iccid}
        assert _client(told, told.teller, port).post("downloadOrder", asked).codes == "1.1/1.1"
    assert told.server.client().post("x", b"{}").status == 404
    plain = told.server.client()
    plain._path = "/gsma/rsp2/es2plus/"  # ES9+'s port needs no client certificate; this client has none
    assert plain.post(NAME, told.body()).codes == "1.1/1.1"
    forged = self_signed(tmp_path, "teller", at=NOW)  # the same name, another key
    stranger = Operator("teller", told.server, forged)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stranger.client().post(NAME, told.body())
    assert told.kept() == []


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"iccid": "8999999999999999999"}, "8.2.1/3.9"),
        ({"iccid": "12"}, "1.3.1/2.1"),
        ({"eid": "12"}, "1.3.1/2.1"),
        ({"notificationPointId": 5}, "1.3.1/2.1"),
        ({"notificationPointId": "4"}, "1.3.1/2.1"),
        ({"notificationPointStatus": None}, "1.3.1/2.2"),
        ({"notificationPointStatus": {"status": 7}}, "1.3.1/2.1"),
        ({"header": {"functionRequesterIdentifier": "x"}}, "1.3.1/2.2"),
        ({"header": {"functionRequesterIdentifier": "x", "functionCallIdentifier": "x" * 300}}, "1.3.1/2.1"),
    ],
    ids=range(9),
)
def test_what_is_no_progress_is_refused(told: Told, changes: dict[str, Any], codes: str) -> None:
    told.clear()
    assert told.teller.client().post(NAME, told.body(**changes)).codes == codes
    assert told.kept() == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(lambda it: json.dumps(it).encode())
)
def test_no_octets_bring_it_down(told: Told, octets: bytes) -> None:
    assert told.teller.client().post(NAME, octets).status in (200, 400)
