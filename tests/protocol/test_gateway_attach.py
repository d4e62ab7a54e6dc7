"""The attach wire: who gets in, who does not, and what is said."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

from kswifi.lab.phone.modem import AttachError
from tests.support.lab_network import lab_network
from tests.support.small_ocs import IMSI, SimCard, SmallOcs


class Wire:
    """A modem by hand."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 10)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def say(self, **message: Any) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def say_octets(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def hear(self) -> dict[str, Any]:
        line = self._lines.readline()
        message = json.loads(line) if line else {"type": "closed"}
        assert isinstance(message, dict)
        return message


def test_attach_and_detach_show_no_key(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000)
    card = SimCard()
    with lab_network(tmp_path, ocs) as lab, Wire(lab.attach_address) as wire:
        wire.say(type="attach_request", imsi=IMSI, apn="internet")
        challenge = wire.hear()
        assert set(challenge) == {"type", "rand", "autn", "plmn"}
        answer = card.authenticate(bytes.fromhex(challenge["rand"]), bytes.fromhex(challenge["autn"]))
        assert answer.res is not None
        wire.say(type="authentication_response", res=answer.res.hex())
        accept = wire.hear()
        assert set(accept) == {"type", "bearer_id", "proxy_host", "proxy_port", "access", "pdn_address"}
        assert (accept["type"], accept["access"], accept["proxy_port"]) == (
            "attach_accept",
            "full",
            lab.proxy_address[1],
        )
        wire.say(type="detach_request")
        assert wire.hear() == {"type": "detach_accept"}
        assert wire.hear() == {"type": "closed"}
        assert ocs.reserved == 0  # the last report was answered before the detach was accepted


def test_closing_the_connection_is_a_detach(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach()
        assert ocs.reserved == 1_000_000
        lab.attach()  # anew: the modem detaches first
        assert (len(ocs.sessions), ocs.reserved) == (2, 1_000_000)
    assert ocs.reserved == 0


def test_the_same_subscriber_attaching_anew_replaces_its_bearer(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000)
    card = SimCard()
    with lab_network(tmp_path, ocs) as lab, Wire(lab.attach_address) as wire:
        lab.attach(card)
        wire.say(type="attach_request", imsi=IMSI, apn="internet")
        challenge = wire.hear()
        answer = card.authenticate(bytes.fromhex(challenge["rand"]), bytes.fromhex(challenge["autn"]))
        assert answer.res is not None
        wire.say(type="authentication_response", res=answer.res.hex())
        assert wire.hear()["access"] == "full"
        assert lab.modem.wait_for_access("ended", seconds=5)
        assert len(lab.gateway.status()["bearers"]) == 1


def test_a_card_with_another_key_does_not_take_the_challenge(tmp_path: Path) -> None:
    with lab_network(tmp_path, SmallOcs(balance=1)) as lab:
        with pytest.raises(AttachError, match="authentication rejected"):
            lab.attach(SimCard(k=bytes(16)))
        assert lab.gateway.status()["bearers"] == []


def test_a_rogue_card_that_checks_nothing_is_refused_on_its_answer(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000)
    with lab_network(tmp_path, ocs) as lab, pytest.raises(AttachError, match="authentication rejected"):
        lab.attach(SimCard(k=bytes(16), checks_mac=False))
    assert not ocs.requests


def test_a_card_that_is_ahead_brings_the_network_in_line(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000)
    with lab_network(tmp_path, ocs) as lab:
        lab.attach(SimCard(highest_sqn=1 << 40))
        assert ocs.resynchronised == 1
        assert ocs.sqn > 1 << 40
        assert lab.modem.access == "full"


def test_a_card_that_never_agrees_gets_one_new_try(tmp_path: Path) -> None:
    class Stubborn(SimCard):
        def authenticate(self, rand: bytes, autn: bytes) -> Any:
            answer = super().authenticate(rand, autn)
            self.highest_sqn += 1 << 20
            return answer

    ocs = SmallOcs(balance=1_000_000)
    with lab_network(tmp_path, ocs) as lab, pytest.raises(AttachError, match="authentication rejected"):
        lab.attach(Stubborn(highest_sqn=1 << 30))
    assert ocs.resynchronised == 1


def test_an_unknown_subscriber(tmp_path: Path) -> None:
    with lab_network(tmp_path, SmallOcs()) as lab:
        with pytest.raises(AttachError, match="does not know this subscriber") as refused:
            lab.modem.attach(SimCard(), "999700000000999")
        assert refused.value.facts["emm_cause"] == 2


@pytest.mark.parametrize(
    ("result", "words", "cause"),
    [(4012, "back to WiFi", 19), (4010, "frozen", 7), (5030, "does not know", 8), (3004, "busy", 22)],
)
def test_a_refusal_of_the_charging_server_refuses_the_attach(
    tmp_path: Path, result: int, words: str, cause: int
) -> None:
    ocs = SmallOcs(balance=1_000_000, refuse_initial=result)
    with lab_network(tmp_path, ocs) as lab:
        with pytest.raises(AttachError, match=words) as refused:
            lab.attach()
        assert refused.value.facts["emm_cause"] == cause
        assert not list((tmp_path / "gateway").glob("*.count"))


def test_a_charging_server_that_does_not_answer_refuses_the_attach_and_is_settled_later(tmp_path: Path) -> None:
    ocs = SmallOcs(balance=1_000_000, mute=True)
    with lab_network(tmp_path, ocs, answer_seconds=0.3) as lab:
        with pytest.raises(AttachError, match="does not answer"):
            lab.attach()
        ocs.mute = False
        lab.loop.call(ocs.drop_connections)
        until = time.monotonic() + 10
        while not ocs.sessions or ocs.reserved:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert ocs.sessions
    assert all(session.closed for session in ocs.sessions.values())


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\n",
        b"{}\n",
        b'{"type":"attach_request"}\n',
        b'{"type":"attach_request","imsi":"12","apn":"internet"}\n',
        b'{"type":"attach_request","imsi":"999700000000001","apn":"inter net"}\n',
        b'{"type":"attach_request","imsi":5,"apn":"internet"}\n',
        b'{"type":"detach_request"}\n',
        b'{"type":"attach_request","x":"' + b"y" * 5000 + b'"}\n',
    ],
)
def test_a_message_that_breaks_the_rules_is_rejected_with_a_reason(tmp_path: Path, octets: bytes) -> None:
    with lab_network(tmp_path, SmallOcs()) as lab, Wire(lab.attach_address) as wire:
        wire.say_octets(octets)
        answer = wire.hear()
        assert (answer["type"], answer["emm_cause"]) == ("attach_reject", 111)
        assert answer["reason"]


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "authentication_response", "res": "zz"},
        {"type": "authentication_response"},
        {"type": "authentication_failure", "emm_cause": 21, "auts": "00"},
        {"type": "attach_request", "imsi": IMSI, "apn": "internet"},
    ],
)
def test_a_wrong_answer_to_the_challenge(tmp_path: Path, answer: dict[str, Any]) -> None:
    with lab_network(tmp_path, SmallOcs(balance=5)) as lab, Wire(lab.attach_address) as wire:
        wire.say(type="attach_request", imsi=IMSI, apn="internet")
        assert wire.hear()["type"] == "authentication_request"
        wire.say(**answer)
        assert wire.hear()["type"] == "attach_reject"
        assert lab.gateway.status()["bearers"] == []


AUDITED = """
import socket, sys
from pathlib import Path
from kswifi.lab.phone.network import Network, NoNetworkError

attach, other = (("127.0.0.1", int(port)) for port in sys.argv[2:4])
network = Network(Path(sys.argv[1]), [attach])
network.forbid_other_connects()
network.connect(*other).close()                 # WiFi is on
network.wifi = False
assert not Network(Path(sys.argv[1]), [attach]).wifi
for tried in (lambda: network.connect(*other), lambda: socket.create_connection(other),
              lambda: socket.socket().connect_ex(other), lambda: socket.socket(socket.AF_UNIX).connect("/tmp/x")):
    try:
        tried()
    except NoNetworkError:
        continue
    sys.exit("a connect went past the switch")
network.connect_to_gateway(attach).close()      # the radio still works
print("gateway reached", flush=True)
sys.stdin.readline()                            # now the gateway stops
try:
    network.connect_to_gateway(attach)
except ConnectionRefusedError:
    print("nothing reached", flush=True)
"""


def test_with_wifi_off_the_gateway_alone_is_reached_and_nothing_without_it(tmp_path: Path) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    gateway = socket.create_server(("127.0.0.1", 0))
    ports = [str(listener.getsockname()[1]) for listener in (gateway, other)]
    with subprocess.Popen(
        [sys.executable, "-c", AUDITED, str(tmp_path), *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as phone:
        assert phone.stdin is not None
        assert phone.stdout is not None
        assert phone.stdout.readline() == b"gateway reached\n"
        gateway.close()
        phone.stdin.write(b"stopped\n")
        phone.stdin.flush()
        assert phone.stdout.readline() == b"nothing reached\n"
    other.close()
    assert phone.returncode == 0
