"""Requests are counted by route, and logged without identifiers."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from kswifi.api.app import create_app
from kswifi.api.edge.access import ACCESS_EVENT, SECONDS_BOUNDS, UNMATCHED, HttpCounts
from kswifi.bootstrap.metrics.http import HttpMetrics
from tests.support.api import register, serving


async def test_requests_are_counted_by_route_method_and_status(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        requests = services.requests.requests
        requests.clear()
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.head("/healthz")).status_code == 200
        await client.get("/api/v1/account")
        for secret in ("019a1111-1111-7111-8111-111111111111", "019a1111-1111-7111-8111-222222222222"):
            await client.get(f"/api/v1/identifier-proofs/{secret}")
        await client.get("/wherever/000000")
        await client.request("BREW", "/healthz")
        await client.get("/healthz", headers={"Host": "evil.example"})
        assert requests == {
            ("GET", "/healthz", 200): 2,
            ("GET", "/api/v1/account", 401): 1,
            ("GET", "/api/v1/identifier-proofs/{proof_id}", 404): 2,
            ("GET", UNMATCHED, 404): 1,
            ("other", "/healthz", 405): 1,
            ("GET", UNMATCHED, 421): 1,
        }
        assert sum(services.requests.buckets) == 8


async def test_sign_ups_are_counted(tmp_path: Path) -> None:
    async with serving(tmp_path) as (client, services):
        await register(client)
        text = HttpMetrics(services.requests).text().decode()
        assert 'kswifi_sign_ups_total{way="password"} 1.0' in text
        assert 'kswifi_sign_ups_total{way="passkey"} 0.0' in text
        assert 'kswifi_http_requests_total{method="POST",route="/api/v1/accounts",status="201"} 1.0' in text


@pytest.mark.parametrize("writes", [True, False])
async def test_an_access_line_names_the_route_and_the_request_id(tmp_path: Path, writes: bool) -> None:
    async with serving(tmp_path) as (_, services):
        own = httpx2.ASGITransport(
            create_app(replace(services, writes_access_lines=writes)), client=("192.0.2.7", 1)
        )
        async with httpx2.AsyncClient(transport=own, base_url="http://localhost:8080") as client:
            with capture_logs() as lines:
                await client.get("/api/v1/sessions/019a1111-1111-7111-8111-111111111111?x=secret")
    found = [line for line in lines if line["event"] == ACCESS_EVENT]
    assert len(found) == writes
    for line in found:
        assert line["method"] == "GET"
        assert line["route"] == "/api/v1/sessions/{session_id}"
        assert line["status"] == 401
        assert line["octets"] > 0
        assert line["client"] == "192.0.2.7"
        assert "019a1111" not in str(line)
        assert "secret" not in str(line)


def test_a_duration_falls_into_its_bucket_and_a_stream_into_none() -> None:
    counts = HttpCounts()
    for seconds in (0.0, SECONDS_BOUNDS[0], SECONDS_BOUNDS[0] + 1e-9, 11.0, None):
        counts.note("GET", "/", 200, seconds)
    assert counts.buckets[0] == 2
    assert counts.buckets[1] == 1
    assert counts.buckets[-1] == 1
    text = HttpMetrics(counts).text().decode()
    assert 'kswifi_http_request_seconds_bucket{le="+Inf"} 4.0' in text
    assert 'kswifi_http_requests_total{method="GET",route="/",status="200"} 5.0' in text
