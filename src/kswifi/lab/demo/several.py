"""The demo with several sessions on one card: stored, reordered, used one after the other until cut off."""

from dataclasses import replace
from typing import Any

from kswifi.lab.demo.road import Road, RoadError, Walked


class SeveralSessions:
    """One phone that stores and uses several sessions of the same offer."""

    def __init__(self, road: Road, offer_id: str, count: int) -> None:
        self._road = road
        self._offer_id = offer_id
        self._count = count
        self.walks: list[Walked] = []
        """The results of each session, in the order in which they were downloaded."""
        self.order: list[str] = []
        """The session ids in the order in which they were used."""
        self.delivered: list[int] = []
        """The octets of each time online, until the network cut the line."""
        self.packets = 0
        """How many secured packets the card has proved."""

    def walk(self, identifier: str, password: str) -> None:
        """Go through all stages: store the sessions, reverse their order, use one, then the others in a row.

        Raises:
            KswifiError: a stage failed.
        """
        road = self._road
        road.register(identifier, password)
        road.choose(self._offer_id)
        if not road.walked.offer["allowance_octets"]:
            raise RoadError("several sessions are used one after the other: choose an offer with a limit of octets")
        for number in range(self._count):
            road.walked = replace(road.walked, session_id="", package=None)
            road.order()
            road.download(break_off=number == 0)
            road.store()
            self.walks.append(road.walked)
        if len({it.esim_id for it in self.walks}) != 1:
            raise RoadError("the sessions are not on one eSIM")
        newest_first = [it.session_id for it in reversed(self.walks)]
        self._arrange(newest_first, continue_with_next=False)
        self._spend(1)  # the line is cut after the first session, although others are on the card
        road.app.switch(newest_first[1], "activate")
        self._arrange(newest_first[1:], continue_with_next=True)
        self._spend(self._count - 1)
        for walked in self.walks:
            walked.final = road.app.wait_until(walked.session_id, ("exhausted",))
            walked.usage = road.app.usage(walked.session_id)
        self.packets += road.carry_packets()

    def _arrange(self, order: list[str], *, continue_with_next: bool) -> None:
        with self._road.stage("arrange"):
            self._road.app.arrange(self._road.walked.esim_id, order, continue_with_next=continue_with_next)
            self.packets += self._road.carry_packets()
            self.order += [it for it in order if it not in self.order]

    def _spend(self, sessions: int) -> None:
        road = self._road
        road.leave_wifi()
        road.switch_line_on()
        road.browse_until_cut_off(sessions * int(road.walked.offer["allowance_octets"]))
        if road.walked.traffic is not None:
            self.delivered.append(road.walked.traffic.delivered_octets)
        with road.stage("line_off"):
            road.modem.detach()
            road.network.line = False
            road.network.wifi = True


def facts_of_several(several: SeveralSessions) -> dict[str, Any]:
    """Return the result: the octets that the phone counted, the ledger's balances, and the card's proofs."""
    return {
        "sessions": [
            {
                "session_id": walked.session_id,
                "allowance_octets": walked.offer["allowance_octets"],
                "storage_proof": walked.final["storage_proof"],
                "state": walked.final["state"],
                "used_octets": walked.usage["balance"]["used"],
                "overrun_octets": walked.usage["balance"]["overrun"],
            }
            for walked in several.walks
        ],
        "order": several.order,
        "delivered_octets": several.delivered,
        "packets_proved": several.packets,
    }


def failings_of_several(facts: dict[str, Any]) -> list[str]:
    """Return the failed checks in words; an empty list if the run succeeded."""
    sessions, delivered = facts["sessions"], facts["delivered_octets"]
    allowance = sessions[0]["allowance_octets"]
    checks = {
        "a session is not used up to its last octet": all(it["used_octets"] == allowance for it in sessions),
        "there is overrun": not any(it["overrun_octets"] for it in sessions),
        "the first session was not cut off at its last octet": delivered[0] == allowance,
        "the other sessions were not cut off at their last octet": delivered[1] == allowance * (len(sessions) - 1),
        "a later session has no proof of receipt": [it["storage_proof"] for it in sessions]
        == ["install_result", *["por"] * (len(sessions) - 1)],
        "a session is not exhausted": all(it["state"] == "exhausted" for it in sessions),
        "the card has not stored the order of use": facts["packets_proved"] >= len(sessions),
    }
    return [words for words, holds in checks.items() if not holds]
