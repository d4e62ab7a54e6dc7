"""Send a server webhooks as Paystack's, forged, replayed, late and out of order.

    kswifi payments rehearse --port 8086                          # answers as Paystack does; no money moves
    KSWIFI_PAYSTACK_SECRET_KEY=sk_test_rehearsal_0001 KSWIFI_PAYSTACK_URL=http://127.0.0.1:8086 \\
      KSWIFI_PAYMENTS_EMAIL=you@example.ng kswifi up
    python examples/rehearse_webhooks.py http://localhost:8080 http://127.0.0.1:8086
"""

import hashlib
import hmac
import json
import sys

import httpx2
from client import Client

KEY = "sk_test_rehearsal_0001"
REPLAYS = 1_000


def signed(body: bytes, key: str = KEY) -> dict[str, str]:
    """Return the signature header of a webhook of Paystack: the HMAC-SHA512 of the raw body, in hexadecimal."""
    return {"x-paystack-signature": hmac.new(key.encode(), body, hashlib.sha512).hexdigest()}


def main() -> None:
    """Start a payment, and send wrong webhooks for it before and after it is paid."""
    origin, gateway = (*sys.argv[1:], "http://localhost:8080", "http://127.0.0.1:8086")[:2]
    client = Client(origin)
    payment = client.post("/api/v1/payments", {"offer_id": "unlimited"})
    url = f"/api/v1/payments/{payment['reference']}"
    data = {"reference": payment["reference"], "status": "success", "amount": 80_000, "currency": "NGN"}
    body = json.dumps({"event": "charge.success", "data": data}).encode()
    with httpx2.Client(base_url=origin) as http:

        def send(headers: dict[str, str], octets: bytes = body) -> int:
            return http.post("/webhooks/paystack", content=octets, headers=headers).status_code

        print("without a signature:", send({}))
        print("signed with another key:", send(signed(body, "sk_test_another_key")))
        print("changed after signing:", send(signed(body), body.replace(b"80000", b"1")))
        print("sent before the payment:", send(signed(body)), client.get(url)["state"])

        httpx2.post(
            f"{gateway}/control/charges/{payment['reference']}/pay",
            json={"tell_times": 1},
            headers={"X-KSWiFi-Lab": "1"},
        ).raise_for_status()
        print("paid, notified and verified:", client.until(url, "settled")["state"])

        answers = {send(signed(body)) for _ in range(REPLAYS)}
        print(f"replayed {REPLAYS} times:", *answers)
    held = client.get("/api/v1/pass")
    print("passes:", len(held["periods"]), "until", held["ends_at"])


main()
