"""Authentication-Information-Requests over a real connection, with an authentication centre that is a fake."""

import asyncio
from pathlib import Path

from kswifi.database.errors import DatabaseFullError
from kswifi.diameter import dictionary as d
from kswifi.diameter.messages.s6a import (
    AuthenticationInformationAnswer,
    AuthenticationInformationRequest,
    EutranVector,
)
from kswifi.diameter.reader import read_message
from kswifi.kernel.errors import KswifiError
from kswifi.servers.diameter.s6a import S6aApplication
from tests.support.diameter_samples import IMSI, rebuilt
from tests.support.gy_server import IDENTITY, GyServer, RawClient, running

VECTOR = EutranVector(rand=b"r" * 16, xres=b"x" * 8, autn=b"a" * 16, kasme=b"k" * 32)
PLMN = b"\x00\xf1\x10"


class UnknownSubscriberError(KswifiError):
    code = "unknown_subscriber"


class FakeAuthenticationCentre:
    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, bytes | None]] = []

    async def eutran_vector(self, imsi: str, plmn: bytes, resynchronization: bytes | None = None) -> EutranVector:
        self.asked.append((imsi, plmn, resynchronization))
        await asyncio.sleep(0.01)
        if imsi == IMSI:
            return VECTOR
        if imsi == "broken":
            raise RuntimeError("a fault of ours")
        if imsi == "refused":
            raise KswifiError("the card's resynchronization is refused")
        if imsi == "full":
            raise DatabaseFullError("the disk is full")
        raise UnknownSubscriberError("nobody")


def request(imsi: str, resynchronization: bytes | None = None) -> bytes:
    return AuthenticationInformationRequest(
        session_id="gw;1;1",
        origin_host="gw.localdomain",
        origin_realm="localdomain",
        destination_realm="localdomain",
        user_name=imsi,
        visited_plmn_id=PLMN,
        re_synchronization_info=resynchronization,
        hop_by_hop=5,
        end_to_end=6,
    ).encode()


async def test_vectors_and_refusals(tmp_path: Path) -> None:
    centre = FakeAuthenticationCentre()
    async with running(GyServer(tmp_path, more=(S6aApplication(centre, IDENTITY),))) as server:
        client = await RawClient.connect(server.node.port, host="gw.localdomain")
        answer = AuthenticationInformationAnswer.decode(await client.ask(request(IMSI, bytes(30))))
        assert answer.vector == VECTOR
        assert answer.is_success
        assert (answer.session_id, answer.hop_by_hop, answer.end_to_end) == ("gw;1;1", 5, 6)
        assert centre.asked == [(IMSI, PLMN, bytes(30))]
        for imsi, experimental, result in (
            ("001010000000009", True, 5001),
            ("refused", False, 5012),
            ("full", True, 4181),  # TS 29.272, 7.4.4.1: the core may ask again
            ("broken", False, 5012),
        ):
            answer = AuthenticationInformationAnswer.decode(await client.ask(request(imsi)))
            assert (answer.experimental, answer.result_code) == (experimental, result)
            assert answer.vector is None
        for message, result in (
            (rebuilt(request(IMSI), {283: b"elsewhere"}), 3003),
            (rebuilt(request(IMSI), {1407: b"12"}), 5014),
            (rebuilt(request(IMSI), {1408: None}), 5005),
            (request(IMSI, bytes(29)), 5014),
        ):
            octets = await client.ask(message)
            assert AuthenticationInformationAnswer.decode(octets).result_code == result
            # A 5xxx answer has its command's grammar (TS 29.272, 7.2.6), one with the E bit the answer-message's.
            of_its_command = read_message(octets).has(d.AUTH_SESSION_STATE)
            assert of_its_command is (result >= 5000)
            assert read_message(octets).has(d.VENDOR_SPECIFIC_APPLICATION_ID) is of_its_command
        assert len(centre.asked) == 5
        await client.close()
