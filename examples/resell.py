"""A session on a data provider's eSIM, from the order to the confirmed cut-off (`KSWIFI_MODE=resold make up`)."""

import hashlib
import sys
import time
from typing import Any

import httpx2
from client import Client

LAB = {"X-KSWiFi-Lab": "1"}


def use_up(provider: str) -> None:
    """Play the phone at the rehearsal's provider: install its newest profile, and use all its data."""
    with httpx2.Client(base_url=provider, headers=LAB, timeout=20) as control:
        line = control.get("/control/lines").raise_for_status().json()["lines"][-1]
        at = f"/control/lines/{line['line']}"
        control.post(f"{at}/install").raise_for_status()
        used = control.post(f"{at}/use", json={"octets": line["octets_left"]}).raise_for_status().json()
        print("used at the provider:", used["covered"], "octets")


def confirmed(client: Client, esim_id: str) -> Any:
    """Wait until the provider has confirmed that the line carries no data."""
    for _ in range(600):
        service = client.get(f"/api/v1/esims/{esim_id}/service")
        if service["confirmed"] and not service["wants_on"]:
            return service
        time.sleep(0.1)
    raise SystemExit("the provider did not confirm the cut-off")


def main() -> None:
    """Walk at the origin of the first argument; the second, the rehearsal's provider, also plays the phone."""
    named = sys.argv[1:]
    client = Client(named[0] if named else "http://localhost:8080")
    # A server that has just started reads the provider's catalogue first.
    session = client.post("/api/v1/sessions", {"offer_id": "free-1gb"}, again_on="bundle_not_mapped")
    at = f"/api/v1/sessions/{session['session_id']}"
    client.until(at, "packaged")
    package = client.page(f"{at}/package").content
    client.post(f"{at}/downloaded", {"sha256": hashlib.sha256(package).hexdigest()})
    client.post(f"{at}/transfer", {"esim_id": session["esim_id"]})
    installation = client.once_there(f"/api/v1/esims/{session['esim_id']}/installation")
    (bundle,) = client.get(f"{at}/portions")["portions"]
    print("bought:", bundle["bundle_octets"], "octets, order", bundle["reference"])
    print("scan this on the phone:", installation["activation_code"])
    if len(named) < 2:
        return
    use_up(named[1])
    client.until(at, "exhausted")
    balance = client.get(f"{at}/usage")["balance"]
    print("used:", balance["used"], "octets, beyond the session:", balance["overrun"])
    print("the provider reports:", confirmed(client, session["esim_id"])["observed"])


main()
