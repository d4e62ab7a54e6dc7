"""SIGKILL of the server in the middle of a packet exchange: nothing is lost, and nothing is written twice."""

import pytest

from kswifi.kernel.numbers import Iccid
from kswifi.lab.demo.road import Road
from tests.support.system import PASSWORD, WholeSystem, new_identifier

AT = "/api/v1/esims/{}/packets"


def next_packet(road: Road) -> dict[str, object]:
    packet: dict[str, object] = road.app._post(AT.format(road.walked.esim_id), None)["packet"]
    return packet


def hand_over(road: Road, packet: dict[str, object]) -> str:
    envelopes = packet["envelopes"]
    assert isinstance(envelopes, list)
    return road.card.hand_over(Iccid(str(packet["iccid"])), [bytes.fromhex(it) for it in envelopes]).hex()


def bring(road: Road, packet: dict[str, object], answer: str) -> str:
    at = f"{AT.format(road.walked.esim_id)}/{packet['packet_id']}"
    return str(road.app._post(at, {"answer": answer})["result"])


def restart(system: WholeSystem) -> None:
    system.kill("server")
    system.start_one("server")


@pytest.mark.parametrize("when", ["before the card has it", "when the card has it", "when its proof is in"])
def test_the_server_dies_in_the_middle_of_an_exchange(system: WholeSystem, when: str) -> None:
    with system.road(name=when.replace(" ", "-")) as road:
        road.register(new_identifier(), PASSWORD)
        road.choose("free-3mb")
        for number in range(2):
            road.walked.session_id = ""
            road.order()
            road.download(break_off=False)
            if not number:
                road.store()
        session_id = road.walked.session_id
        road.app.transfer(session_id, road.walked.esim_id)
        while (packet := next_packet(road)) is None:  # its place is given a moment later
            pass
        if when == "before the card has it":
            restart(system)
        answer = hand_over(road, packet)
        if when == "when the card has it":
            restart(system)
        assert bring(road, packet, answer) == "proved"
        if when == "when its proof is in":
            restart(system)
        stored = road.app.wait_until(session_id, ("stored",))
        assert stored["storage_proof"] == "por"
        again = next_packet(road)
        assert again is None
        assert len(road.card.read_session_records()) == 2
