"""What Prometheus reads of free data: every kobo by budget, who waits, and which rule refused."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
from sqlalchemy import Connection

from kswifi.api.monitoring import create_monitoring_app
from kswifi.api.routes.payments.free_data import FREE_DATA_REFUSALS
from kswifi.api.services import Metrics
from kswifi.bootstrap.metrics.free_data import FreeDataMetrics
from kswifi.free_data.budgets import resume, set_budget, stop
from kswifi.free_data.figures import FreeDataCounts
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import WhenBudgetGone
from tests.support.api import problem
from tests.support.session_api import ORIGIN, Served, served

PAGE = (Path(__file__).parents[2] / "docs" / "economics.md").read_text()
ORDER = {"offer_id": "free-1gb"}


async def test_metrics_follow_budgets_ceilings_grants_and_refusals(tmp_path: Path) -> None:
    async with served(tmp_path) as api, prometheus(api) as client:
        have(api, cost_kobo_per_gb=20_000, monthly_kobo=1_000_000, when_budget_gone=WhenBudgetGone.WAITING_LIST)

        def change(connection: Connection) -> None:
            set_budget(connection, "operator", BudgetKind.OPERATOR, 25_000, 24_000, None)
            set_budget(connection, "cafe", BudgetKind.VENUE, 7, None, None)

        await api.road.database.write(change)
        told = await read(client)
        of = 'budget="operator",kind="operator"'
        assert told[f"kswifi_budget_total_kobo{{{of}}}"] == 25_000
        assert told[f"kswifi_budget_left_kobo{{{of}}}"] == 25_000
        assert told['kswifi_budget_left_kobo{budget="cafe",kind="venue"}'] == 7
        assert told[f'kswifi_budget_ceiling_kobo{{{of},period="day"}}'] == 24_000
        assert f'kswifi_budget_ceiling_kobo{{{of},period="month"}}' not in told, "not set: not there"
        assert told['kswifi_free_data_ceiling_kobo{period="month"}'] == 1_000_000
        assert 'kswifi_free_data_ceiling_kobo{period="day"}' not in told
        assert told["kswifi_free_data_cost_kobo_per_gb"] == 20_000
        assert told["kswifi_free_data_grants_total"] == 0
        assert told['kswifi_free_data_refusals_total{rule="free_budget_gone"}'] == 0

        path = await api.order("free-1gb")
        problem(await api.post("/api/v1/sessions", ORDER), 409, "free_budget_gone")
        assert (await api.post("/api/v1/free-data/waiting", ORDER)).status_code == 200
        await api.road.database.write(lambda connection: stop(connection, "Free data pauses."))
        problem(await api.post("/api/v1/sessions", ORDER), 409, "free_data_stopped")
        told = await read(client)
        assert told[f"kswifi_budget_reserved_kobo{{{of}}}"] == 20_000
        assert told[f"kswifi_budget_left_kobo{{{of}}}"] == 5_000
        for period in ("day", "month"):
            assert told[f'kswifi_budget_committed_kobo{{{of},period="{period}"}}'] == 20_000
            assert told[f'kswifi_free_data_committed_kobo{{period="{period}"}}'] == 20_000
        assert told["kswifi_free_data_grants_total"] == 1
        assert told["kswifi_free_data_waiting"] == 1
        assert told["kswifi_free_data_stopped"] == 1
        assert {key: count for key, count in told.items() if "refusals" in key and count} == {
            'kswifi_free_data_refusals_total{rule="free_budget_gone"}': 1,
            'kswifi_free_data_refusals_total{rule="free_data_stopped"}': 1,
        }

        assert (await api.post(f"{path}/cancel")).status_code == 200
        await api.road.settle()
        await api.road.database.write(resume)
        told = await read(client)
        assert told[f"kswifi_budget_left_kobo{{{of}}}"] == 25_000
        assert told['kswifi_free_data_committed_kobo{period="day"}'] == 0
        assert told["kswifi_free_data_stopped"] == 0
        assert told["kswifi_free_data_grants_total"] == 1, "what was given back was given"


async def test_every_rule_is_there_before_it_refuses_and_the_page_names_every_metric(tmp_path: Path) -> None:
    assert set(FreeDataCounts().refusals) == set(FREE_DATA_REFUSALS)

    async with served(tmp_path) as api, prometheus(api) as client:
        have(api, daily_kobo=1, cost_kobo_per_gb=1)
        await api.road.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 1, 1, 1)
        )
        made = {key.partition("{")[0] for key in await read(client)}
        assert set(re.findall(r"`(kswifi_[a-z_]+)", PAGE)) == made


def have(api: Served, **rules: object) -> None:
    api.road.free_data.rules = replace(api.road.free_data.rules, **rules)  # type: ignore[arg-type]


@asynccontextmanager
async def prometheus(api: Served) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of this machine, to a server with these metrics."""
    metrics = Metrics(FreeDataMetrics(api.road.database, api.road.free_data).text)
    app = create_monitoring_app(replace(api.services, metrics=metrics))
    transport = httpx2.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


async def read(client: httpx2.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines if not name.endswith("_created")}
