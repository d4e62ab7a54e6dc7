"""A standing order over the real network: due after the cut-off, refused over the session, ordered over WiFi."""

import time
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from kswifi.lab.demo.road import Road
from tests.support.system import WholeSystem

pytestmark = pytest.mark.soak

PATH = "/api/v1/standing-order"
DUE_SECONDS = 60
"""The server looks at standing orders every 20 seconds."""


def send(client: httpx2.Client, road: Road, method: str, path: str, body: dict[str, Any]) -> httpx2.Response:
    headers = {"X-CSRF-Token": road.app._csrf_token, "Idempotency-Key": str(uuid4())}
    return client.request(method, path, json=body, headers=headers)


def wait_until_due(client: httpx2.Client) -> dict[str, Any]:
    end = time.monotonic() + DUE_SECONDS
    while time.monotonic() < end:
        order: dict[str, Any] = client.get(PATH).json()["standing_order"]
        if order["due"]:
            return order
        time.sleep(0.5)
    raise AssertionError("the session did not become due")


def test_the_next_session_is_due_after_the_cut_off_and_is_ordered_over_wifi(system: WholeSystem) -> None:
    with system.stored() as road:
        app = road.app
        put = send(app._client, road, "PUT", PATH, {"offer_id": "free-3mb", "below_percent": 20})
        assert put.status_code == 200, put.text
        road.leave_wifi()
        road.switch_line_on()
        road.browse_until_cut_off()
        credentials = road.network.credentials
        assert credentials is not None
        host, port = credentials.address
        proxy = httpx2.Proxy(f"http://{host}:{port}", auth=(credentials.bearer_id, credentials.password))
        body = {"due_number": 1, "by": "background", "on_wifi": True}
        with httpx2.Client(
            base_url=system.origin, proxy=proxy, trust_env=False, cookies=app._client.cookies
        ) as over_the_line:
            assert wait_until_due(over_the_line)["due_number"] == 1
            refused = send(over_the_line, road, "POST", f"{PATH}/carry-out", body)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_on_wifi")
        road.return_to_wifi()
        made = send(app._client, road, "POST", f"{PATH}/carry-out", body)
        assert made.status_code == 201, made.text
        road.walked.session_id = made.json()["session"]["session_id"]
        road.order()
        road.download(break_off=False)
        road.store()
        assert app.internet_session(road.walked.session_id)["state"] == "stored"
