"""Buy the pass, and order an uncapped session with it."""

import sys
from pathlib import Path

from client import Client


def main() -> None:
    """Buy it at the origin of the first argument; the second names a file for the receipt; --pay also pays."""
    named = [it for it in sys.argv[1:] if not it.startswith("-")]
    client = Client(named[0] if named else "http://localhost:8080")
    rules = client.get("/api/v1/pass/rules")
    print("fair use:", rules["fair_use_octets"] or "no limit")
    payment = client.pay(press="--pay" in sys.argv)
    print("settled:", payment["reference"], payment["amount_kobo"], "kobo")
    print("the pass runs until", client.get("/api/v1/pass")["ends_at"])
    session = client.post("/api/v1/sessions", {"offer_id": "unlimited"})
    session = client.until(f"/api/v1/sessions/{session['session_id']}", "packaged")
    allowance = "without limit" if session["allowance_octets"] is None else f"{session['allowance_octets']} octets"
    print("session", session["session_id"], allowance, "until", session["valid_until"])
    receipt = client.page(f"/api/v1/payments/{payment['reference']}/receipt.pdf")
    if len(named) > 1:
        Path(named[1]).write_bytes(receipt.content)
    print("receipt:", len(receipt.content), "octets of PDF")


main()
