"""What the Python examples share: an account, and requests that carry what a change needs."""

import time
import uuid
from typing import Any

import httpx2


class Client:
    """One signed-in user."""

    def __init__(self, origin: str) -> None:
        self._http = httpx2.Client(base_url=origin, timeout=20)
        answer = self._http.post(
            "/api/v1/accounts",
            json={"identifier": f"{uuid.uuid4().hex[:12]}@example.ng", "password": uuid.uuid4().hex},
        )
        self._csrf_token = answer.raise_for_status().json()["csrf_token"]

    def get(self, path: str) -> Any:
        """Read something."""
        return self._http.get(path).raise_for_status().json()

    def page(self, path: str) -> httpx2.Response:
        """Read something that is not JSON."""
        return self._http.get(path).raise_for_status()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Change something, once, however often this has to be sent."""
        headers = {"X-CSRF-Token": self._csrf_token, "Idempotency-Key": str(uuid.uuid4())}
        answer = self._http.post(path, json=body, headers=headers)
        if answer.is_error:
            raise SystemExit(f"{answer.status_code}: {answer.json()['detail']}")
        return answer.json()

    def until(self, path: str, *states: str) -> Any:
        """Read something again and again until it is in one of these states."""
        for _ in range(600):
            found = self.get(path)
            if found["state"] in states:
                return found
            time.sleep(0.1)
        raise SystemExit(f"{path} is {found['state']} still")

    def pay(self, *, press: bool) -> Any:
        """Begin to pay for the pass, have it paid, and return the settled payment."""
        payment = self.post("/api/v1/payments", {"offer_id": "unlimited"})
        print("SANDBOX, no money moves:" if payment["sandbox"] else "real money:", payment["checkout_url"])
        if press and payment["sandbox"]:
            httpx2.post(f"{payment['checkout_url']}/pay")  # the page's button
        return self.until(f"/api/v1/payments/{payment['reference']}", "settled")
