"""The user's statement of a session, and the metrics for Prometheus."""

from pathlib import Path

import httpx2

from kswifi.bootstrap.metrics.charging import ChargingMetrics
from kswifi.charging.journal_notes import Bearer, UsageNote
from kswifi.charging_records.projector import ChargingRecords
from kswifi.kernel.clock import unix_seconds
from kswifi.ledger.commands import Ask, Commit, Reserve
from tests.support.api import problem
from tests.support.diameter_samples import sample
from tests.support.gy_server import GyServer, RawClient, running
from tests.support.session_api import ORIGIN, served


async def test_the_statement_is_the_owners_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        session = await it.road.stored(user_id=it.page.user_id)
        path = f"/api/v1/sessions/{session.session_id}/statement"
        empty = (await it.get(path)).json()
        assert empty == {"session_id": session.session_id, "octets": 0, "hours": [], "transfers": [], "next": None}
        bearer = Bearer("001010000000001", "smf", "internet", 1)
        ask = Ask(5_000, 5_000, unix_seconds(it.road.clock.now()) + 60)
        note = UsageNote(1_000, 3_000).to_note()
        await it.road.ledger.execute(Reserve("r", "s;9", session.esim_id, ask, bearer.to_note("s;9")))
        await it.road.ledger.execute(Commit("c", "s;9", 4_000, None, True, note))
        await ChargingRecords(it.road.database, it.road.ledger).catch_up()
        told = (await it.get(path)).json()
        assert told["octets"] == 4_000
        assert told["hours"] == [
            {
                "starts_at": "2026-11-23T09:00:00.000Z",
                "octets": 4_000,
                "uplink_octets": 1_000,
                "downlink_octets": 3_000,
            }
        ]
        async with it.another("eve@example.ng") as eve:
            assert (await eve.client.get(path)).status_code == 404
        async with httpx2.AsyncClient(transport=it.transport, base_url=ORIGIN) as nobody:
            assert (await nobody.get(path)).status_code == 401


async def test_a_dispute_is_kept_once_for_its_owner_and_bounded(tmp_path: Path) -> None:
    async with served(tmp_path) as it:
        session = await it.road.stored(user_id=it.page.user_id)
        path = f"/api/v1/sessions/{session.session_id}/disputes"
        hours = ["2026-11-23T10:00:00.000Z", "2026-11-23T09:00:00.000Z", "2026-11-23T11:00:00+01:00"]
        body = {"words": "  I slept at that time.\n", "hours": hours}
        first = await it.post(path, body, key="one-and-the-same")
        again = await it.post(path, body, key="one-and-the-same")
        assert (first.status_code, again.content) == (201, first.content)
        kept = first.json()
        assert (kept["words"], kept["hours"]) == ("I slept at that time.", hours[1::-1])
        assert (await it.get(path)).json() == {"disputes": [kept], "next": None}
        wrong: tuple[object, ...] = (
            {},
            {"words": "   "},
            {"words": "x" * 1001},
            {"words": "x", "hours": ["today"]},
            {"words": "x", "hours": ["2026-11-23T09:00:00"]},
            {"words": "x", "hours": hours * 40},
        )
        for refused in wrong:
            problem(await it.post(path, refused), 422, "invalid_request")
        async with it.another("eve@example.ng") as eve:
            problem(await eve.send("POST", path, body), 404, "unknown_session")
            problem(await eve.client.get(path), 404, "unknown_session")
        for _ in range(19):
            assert (await it.post(path, {"words": "And again."})).status_code == 201
        problem(await it.post(path, {"words": "And again."}), 409, "too_many_disputes")
        assert len((await it.get(path)).json()["disputes"]) == 20


async def test_metrics_count_what_happened(tmp_path: Path) -> None:
    async with running(GyServer(tmp_path)) as server:
        await server.credit("a", 20_000_000)
        metrics = ChargingMetrics(server.service, server.node, lambda: server.ledger.figures)
        client = await RawClient.connect(server.node.port)
        for name in ("ccr-initial", "ccr-update-1"):
            assert (await client.charge(sample(name))).result_code == 2001
        told = dict(
            line.rsplit(" ", 1) for line in metrics.text().decode().splitlines() if not line.startswith("#")
        )
        assert told['kswifi_gy_requests_total{type="initial"}'] == "1.0"
        assert told['kswifi_gy_results_total{code="2001"}'] == "2.0"
        assert told["kswifi_gy_latency_seconds_count"] == "2.0"
        assert told['kswifi_gy_latency_seconds_bucket{le="+Inf"}'] == "2.0"
        assert float(told["kswifi_gy_latency_seconds_sum"]) > 0
        assert told["kswifi_charging_sessions"] == "1.0"
        assert told["kswifi_diameter_peers"] == "1.0"
        assert told["kswifi_ledger_commands_total"] == "5.0"
        assert told["kswifi_ledger_batches_total"] == str(float(server.ledger.durable_sequence))
        assert told["kswifi_ledger_reservations"] == "1.0"
        assert told["kswifi_ledger_commands_waiting"] == "0.0"
        await client.close()
