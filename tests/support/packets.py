"""Secured packets for tests: made with a card's keys, handed to it, and their answers opened."""

from dataclasses import dataclass, replace

from kswifi.euicc.card import Euicc
from kswifi.rsp.saip.build import RFM_TAR, SESSION_RECORD_FILE_OCTETS
from kswifi.scp80 import packets, scripts, sms
from kswifi.scp80.packets import CommandPacket, Keys, ResponsePacket
from kswifi.scp80.security import SecurityParameters
from tests.support.cards import KIC, KID, send

LEVEL = SecurityParameters.decode(bytes.fromhex("1619"))
KEYS = Keys(KIC, KID)
SELECT_SESSIONS = bytes.fromhex("00A4080C067FFF5F104F01")


def update_script(number: int, content: bytes) -> bytes:
    """Write a record of EF.SESSIONS and read it back."""
    content = content.ljust(SESSION_RECORD_FILE_OCTETS, b"\xff")
    update = bytes([0x00, 0xDC, number, 0x04, len(content)]) + content
    return scripts.Script((SELECT_SESSIONS, update, bytes([0x00, 0xB2, number, 0x04, len(content)]))).encode()


def packet(counter: int, data: bytes, **changes: object) -> CommandPacket:
    made = CommandPacket(spi=LEVEL, kic=0x12, kid=0x12, tar=RFM_TAR, counter=counter, data=data)
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answer:
    """What a card said to the last ENVELOPE."""

    octets: bytes
    status_word: str

    def opened(self, spi: SecurityParameters = LEVEL, keys: Keys = KEYS) -> ResponsePacket:
        return packets.open_response(sms.read_report(self.octets), spi, 0x12, 0x12, keys)

    def unprotected(self) -> int:
        """The status of an answer to nobody known."""
        response = packets.read_unprotected_response(sms.read_report(self.octets))
        assert response is not None
        assert not response.data
        return response.status

    def script(self) -> scripts.ScriptAnswer:
        response = self.opened()
        assert response.status == packets.ResponseStatus.POR_OK
        return scripts.read_answer(response.data, expanded=response.data[:1] == b"\xab")


def hand_over(euicc: Euicc, secured: bytes) -> Answer:
    """Give a card a packet in as many ENVELOPEs as it needs."""
    data, status = b"", ""
    for message in sms.deliver_messages(secured, reference=secured[-1]):
        assert not data
        data, status = send(euicc, sms.envelope(message).hex())
    return Answer(data, status)


def deliver(euicc: Euicc, command: CommandPacket, keys: Keys = KEYS) -> Answer:
    return hand_over(euicc, packets.encode_command(command, keys))
