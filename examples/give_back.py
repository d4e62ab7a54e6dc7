"""Buy the pass and request a refund, which is granted because the pass was not used."""

import sys

from client import Client


def main() -> None:
    """Do so at the origin in the first argument; --pay presses the button of the sandbox checkout."""
    named = [it for it in sys.argv[1:] if not it.startswith("-")]
    client = Client(named[0] if named else "http://localhost:8080")
    payment = client.pay(press="--pay" in sys.argv)
    url = f"/api/v1/payments/{payment['reference']}"
    print("asked:", client.post(f"{url}/refund")["state"])
    refunded = client.until(url, "refunded")
    print("refunded:", refunded["refund_kobo"], "kobo at", refunded["refunded_at"])
    print("a pass runs:", client.get("/api/v1/pass")["active"])


main()
