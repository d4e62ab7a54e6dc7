"""The result of a demo run as one JSON object, and the checks that all of it really happened."""

from typing import Any

from kswifi.lab.demo.road import UNCAPPED_OCTETS, Walked


def facts_of(walked: Walked) -> dict[str, Any]:
    """Return the result: the octets that the phone counted, and the balance in the server's ledger."""
    traffic, balance = walked.traffic, walked.usage["balance"]
    uncapped = walked.offer["allowance_octets"] is None
    return {
        "offer": walked.offer["id"],
        "allowance_octets": walked.offer["allowance_octets"],
        "delivered_octets": traffic.delivered_octets if traffic else 0,
        "body_octets": traffic.body_octets if traffic else 0,
        "overrun_octets": balance["overrun"],
        "cut_off": bool(traffic and (traffic.cut_off or uncapped) and walked.network_said),
        "state": walked.final["state"],
        "stages": [{"name": stage.name, "seconds": round(stage.seconds, 3)} for stage in walked.stages],
        "ledger": {name: balance[name] for name in ("credited", "used", "reserved", "available")},
        "throughput_mbit_s": round(traffic.throughput_mbit_s, 1) if traffic else 0,
        **({"payment": _payment_of(walked)} if walked.payment else {}),
    }


def _payment_of(walked: Walked) -> dict[str, Any]:
    return {name: walked.payment[name] for name in ("reference", "amount_kobo", "state", "sandbox")}


def failings(facts: dict[str, Any]) -> list[str]:
    """Return the failed checks in words; an empty list if the run succeeded."""
    ledger = facts["ledger"]
    uncapped = facts["allowance_octets"] is None
    wanted = UNCAPPED_OCTETS if uncapped else facts["allowance_octets"]
    whole = facts["delivered_octets"] >= wanted if uncapped else facts["delivered_octets"] == wanted
    end = "expired" if uncapped else "exhausted"
    checks = {
        "delivered octets are not the allowance": whole,
        "the ledger did not charge the delivered octets": ledger["used"] == facts["delivered_octets"],
        "there is overrun": facts["overrun_octets"] == 0,
        "octets are still reserved or available": ledger["reserved"] == ledger["available"] == 0,
        "the ledger credited a different amount": ledger["credited"] == (ledger["used"] if uncapped else wanted),
        "the network did not cut the line": facts["cut_off"],
        f"the session is not {end}": facts["state"] == end,
        "the payment is not settled": facts.get("payment", {"state": "settled"})["state"] == "settled",
    }
    return [words for words, holds in checks.items() if not holds]
