"""Several sessions on one card: downloaded, arranged, spent in a changed order, cut off between and after them."""

from dataclasses import replace
from typing import Any

from kswifi.lab.demo.road import Road, RoadError, Walked


class SeveralSessions:
    """A phone that takes several sessions along."""

    def __init__(self, road: Road, offer_id: str, count: int) -> None:
        self._road = road
        self._offer_id = offer_id
        self._count = count
        self.walks: list[Walked] = []
        """In the order in which they were downloaded."""
        self.order: list[str] = []
        self.delivered: list[int] = []
        """What each time online brought, until the network cut it off."""
        self.packets = 0

    def walk(self, identifier: str, password: str) -> None:
        """Walk all of it.

        Raises:
            KswifiError: a stage was refused or did not happen.
        """
        road = self._road
        road.register(identifier, password)
        road.choose(self._offer_id)
        if not road.walked.offer["allowance_octets"]:
            raise RoadError("several sessions are spent one after the other: take an offer that has an end")
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
        self._spend(1)  # the line is cut after the first, although others are on the card
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
    """Return the closing facts: what the phone counted, beside what the ledger and the card say."""
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
    """Return what did not come out as it must; nothing, if all of it happened."""
    sessions, delivered = facts["sessions"], facts["delivered_octets"]
    allowance = sessions[0]["allowance_octets"]
    checks = {
        "a session is not used up to its octet": all(it["used_octets"] == allowance for it in sessions),
        "there is overrun": not any(it["overrun_octets"] for it in sessions),
        "the first of the order was not cut off to its octet": delivered[0] == allowance,
        "the rest was not cut off to its octet": delivered[1] == allowance * (len(sessions) - 1),
        "a later session has no proof of receipt": [it["storage_proof"] for it in sessions]
        == ["install_result", *["por"] * (len(sessions) - 1)],
        "a session is not exhausted": all(it["state"] == "exhausted" for it in sessions),
        "the card never learnt the order of use": facts["packets_proved"] >= len(sessions),
    }
    return [words for words, holds in checks.items() if not holds]
