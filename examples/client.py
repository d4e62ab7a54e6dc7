"""The client of the Python examples: it creates an account, and sends requests with the headers that they need."""

import time
import uuid
from typing import Any

import httpx2


class Client:
    """One signed-in user with a new account."""

    def __init__(self, origin: str) -> None:
        self._http = httpx2.Client(base_url=origin, timeout=20)
        answer = self._http.post(
            "/api/v1/accounts",
            json={"identifier": f"{uuid.uuid4().hex[:12]}@example.ng", "password": uuid.uuid4().hex},
        )
        self._csrf_token = answer.raise_for_status().json()["csrf_token"]

    def get(self, path: str) -> Any:
        """GET a JSON document."""
        return self._http.get(path).raise_for_status().json()

    def page(self, path: str) -> httpx2.Response:
        """GET a page or file."""
        return self._http.get(path).raise_for_status()

    def post(self, path: str, body: dict[str, Any] | None = None, again_on: str = "") -> Any:
        """POST a request. A client that gets no answer can send it again with the same Idempotency-Key.

        It is sent again for a minute while the answer is the problem ``again_on``.
        """
        for _ in range(600):
            headers = {"X-CSRF-Token": self._csrf_token, "Idempotency-Key": str(uuid.uuid4())}
            answer = self._http.post(path, json=body, headers=headers)
            if not answer.is_error:
                return answer.json()
            if answer.json()["code"] != again_on:
                break
            time.sleep(0.1)
        raise SystemExit(f"{answer.status_code}: {answer.json()['detail']}")

    def until(self, path: str, *states: str) -> Any:
        """GET a document repeatedly until its state is one of these; give up after a minute."""
        for _ in range(600):
            found = self.get(path)
            if found["state"] in states:
                return found
            time.sleep(0.1)
        raise SystemExit(f"{path} is still {found['state']}")

    def once_there(self, path: str) -> Any:
        """GET a document repeatedly while the server answers that it is not there yet (409)."""
        for _ in range(600):
            answer = self._http.get(path)
            if answer.status_code != httpx2.codes.CONFLICT:
                return answer.raise_for_status().json()
            time.sleep(0.1)
        raise SystemExit(f"{path} is still not there")

    def pay(self, *, press: bool) -> Any:
        """Start a payment for the pass, pay it if ``press``, wait for it, and return the settled payment."""
        payment = self.post("/api/v1/payments", {"offer_id": "unlimited"})
        print("SANDBOX, no money moves:" if payment["sandbox"] else "real money:", payment["checkout_url"])
        if press and payment["sandbox"]:
            httpx2.post(f"{payment['checkout_url']}/pay")  # the button of the page
        return self.until(f"/api/v1/payments/{payment['reference']}", "settled")
