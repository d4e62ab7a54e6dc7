"""The demo of a gift: one phone gives half of its session to another one; both use their half until cut off."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from kswifi.lab.demo.road import Road, RoadError, Walked


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs up on a phone."""

    identifier: str
    password: str


class GiftBetweenPhones:
    """Two phones of two accounts; the first one gives half of a session to the second one."""

    def __init__(self, giver: Road, receiver: Road, offer_id: str) -> None:
        self.giver = giver
        self.receiver = receiver
        self._offer_id = offer_id
        self.given_octets = 0

    def walk(self, of_giver: Identity, of_receiver: Identity) -> None:
        """Go through all stages.

        Raises:
            KswifiError: a stage failed.
        """
        giver, receiver = self.giver, self.receiver
        giver.register(of_giver.identifier, of_giver.password)
        giver.choose(self._offer_id)
        if giver.uncapped:
            raise RoadError("of a session without a limit nothing can be given: choose another offer")
        giver.order()
        giver.download(break_off=False)
        giver.store()
        allowance = int(giver.walked.offer["allowance_octets"])
        self.given_octets = allowance // 2
        receiver.register(of_receiver.identifier, of_receiver.password)
        self._give()
        receiver.order()
        receiver.download(break_off=False)
        receiver.store()
        for phone in (giver, receiver):
            phone.leave_wifi()
        self._spend(giver, allowance - self.given_octets)
        self._spend(receiver, self.given_octets)
        for phone in (giver, receiver):
            phone.network.wifi = True
        for phone in (giver, receiver):
            phone.return_to_wifi()

    def _give(self) -> None:
        """Offer half of the session by a code, and claim it with the other account."""
        giver, receiver = self.giver, self.receiver
        with giver.stage("give"):
            gift = giver.app.give(giver.walked.session_id, self.given_octets)
            giver.app.wait_for_gift(gift["transfer_id"], ("sent",))
        with receiver.stage("claim"):
            claimed = receiver.app.claim(str(gift["code"]))
            receiver.walked.session_id = str(claimed["session_id"])
            receiver.walked.offer = {**giver.walked.offer, "allowance_octets": self.given_octets}

    def _spend(self, phone: Road, octets: int) -> None:
        phone.switch_line_on()
        phone.browse_until_cut_off(octets)
        with phone.stage("line_off"):
            phone.modem.detach()
            phone.network.line = False


def facts_of_gift(gift: GiftBetweenPhones) -> dict[str, Any]:
    """Return the result: the octets that both phones counted, and their balances in the ledger."""
    giver, receiver = _side(gift.giver.walked), _side(gift.receiver.walked)
    return {
        "given_octets": gift.given_octets,
        "giver": giver,
        "receiver": receiver,
        "sum_octets": giver["delivered_octets"] + receiver["delivered_octets"],
        "allowance_octets": gift.giver.walked.offer["allowance_octets"],
    }


def _side(walked: Walked) -> dict[str, Any]:
    balance = walked.usage["balance"]
    return {
        "session_id": walked.session_id,
        "source": walked.final["source"],
        "storage_proof": walked.final["storage_proof"],
        "state": walked.final["state"],
        "delivered_octets": walked.traffic.delivered_octets if walked.traffic else 0,
        "used_octets": balance["used"],
        "overrun_octets": balance["overrun"],
        "cut_off": bool(walked.traffic and walked.traffic.cut_off and walked.network_said),
    }


def failings_of_gift(facts: dict[str, Any]) -> list[str]:
    """Return the failed checks in words; an empty list if the run succeeded."""
    giver, receiver = facts["giver"], facts["receiver"]
    both = (giver, receiver)
    checks = {
        "the octets of both phones are not the allowance": facts["sum_octets"] == facts["allowance_octets"],
        "the receiver did not get what was given": receiver["delivered_octets"] == facts["given_octets"],
        "the ledger did not charge what was delivered": all(
            it["used_octets"] == it["delivered_octets"] for it in both
        ),
        "there is overrun": not any(it["overrun_octets"] for it in both),
        "a phone was not cut off": all(it["cut_off"] for it in both),
        "a session is not exhausted": all(it["state"] == "exhausted" for it in both),
        "the receiver's session is not a gift": receiver["source"] == "gift",
        "the receiver's card has not proved its storage": bool(receiver["storage_proof"]),
    }
    return [words for words, holds in checks.items() if not holds]


def table_of_gift(facts: dict[str, Any]) -> Table:
    """Return the table of results of a gift."""
    table = Table(title="Half of an internet session, given to another phone", title_style="bold cyan")
    table.add_column("phone")
    for name in ("delivered", "used", "overrun"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for name in ("giver", "receiver"):
        one = facts[name]
        octets = (f"{one[it]:,}" for it in ("delivered_octets", "used_octets", "overrun_octets"))
        table.add_row(name, *octets, f"{one['state']}, proof {one['storage_proof']}")
    table.add_section()
    table.add_row("together", f"{facts['sum_octets']:,}", "", "", f"of {facts['allowance_octets']:,} octets")
    return table
