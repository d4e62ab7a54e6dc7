"""Secured packets that write records of EF.SESSIONS, and their proofs of receipt (TS 102 225, TS 102 226).

Each script selects EF.SESSIONS, updates one record and reads it back. So the proof of receipt (PoR) contains
what the card stores now, under a cryptographic checksum that only the card can compute.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kswifi.esim.lines.vault import SubscriberVault
from kswifi.kernel.numbers import Iccid
from kswifi.rsp.saip.build import RFM_KEY_SET, RFM_TAR, SESSION_RECORD_FILE_OCTETS
from kswifi.rsp.session_record import pad
from kswifi.scp80 import packets, scripts, sms
from kswifi.scp80.errors import SecuredPacketError
from kswifi.scp80.packets import CommandPacket, Keys, ResponseStatus
from kswifi.scp80.security import Algorithm, Check, CounterRule, ProofOfReceipt, SecurityParameters

SECURITY: Final = SecurityParameters(
    counter=CounterRule.HIGHER,
    ciphered=True,
    check=Check.CRYPTOGRAPHIC,
    por=ProofOfReceipt.ALWAYS,
    por_check=Check.CRYPTOGRAPHIC,
    por_ciphered=True,
)
"""SPI 16 19: the minimum security level of the profile, and a PoR with the same protection."""

_KEY: Final = RFM_KEY_SET << 4 | Algorithm.AES
_SELECT_SESSIONS: Final = bytes.fromhex("00A4080C067FFF5F104F01")
_COMMANDS: Final = 3
_OK: Final = 0x9000
_STATUS_WORD_OCTETS: Final = 2
_TAKEN: Final = (b"\x90", b"\x91")


class ProofResult(StrEnum):
    """The result of a card's answer to a secured packet."""

    PROVED = "proved"
    """The card has the record: the PoR's checksum is valid and the content read back is equal."""
    COUNTER_LOW = "counter_low"
    """The card has already accepted this counter or a higher one: send the record again with a higher counter."""
    REFUSED = "refused"
    """The card refused the packet; ``status`` gives its reason."""
    NOT_UNDERSTOOD = "not_understood"
    """There is no PoR, or its checksum is wrong: whether the card has the record is unknown."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result, and the card's status in the terms of the specification."""

    result: ProofResult
    status: str


class CardPackets:
    """Write secured packets for cards and read their PoRs, with keys from the vault."""

    def __init__(self, vault: SubscriberVault) -> None:
        self._vault = vault

    def write(self, iccid: Iccid, counter: int, number: int, content: bytes) -> list[bytes]:
        """Return the ENVELOPE commands that write ``content`` into record ``number`` of the card's EF.SESSIONS."""
        script = scripts.Script(
            (
                _SELECT_SESSIONS,
                bytes([0x00, 0xDC, number, 0x04, SESSION_RECORD_FILE_OCTETS]) + _whole(content),
                bytes([0x00, 0xB2, number, 0x04, SESSION_RECORD_FILE_OCTETS]),
            )
        )
        packet = CommandPacket(spi=SECURITY, kic=_KEY, kid=_KEY, tar=RFM_TAR, counter=counter, data=script.encode())
        secured = packets.encode_command(packet, self._keys(iccid))
        return [sms.envelope(message) for message in sms.deliver_messages(secured, reference=counter)]

    def read(self, iccid: Iccid, counter: int, content: bytes, answer: bytes) -> Proof:
        """Return what a card's answer (data and status word of the last ENVELOPE) proves about a record's content.

        The status word proves nothing: cards and modems end an answer with data by 9000, 91xx or 9Fxx, or as an
        error by 62xx, 63xx or 9Exx (TS 31.111, 7.1.1.2; TS 51.011, 9.4.1). Only the checksum of the PoR counts.
        """
        data, status_word = answer[:-_STATUS_WORD_OCTETS], answer[-_STATUS_WORD_OCTETS:]
        if not data and status_word[:1] not in _TAKEN:
            return Proof(ProofResult.REFUSED, f"status_word_{status_word.hex()}")
        try:
            report = sms.read_report(data)
            unprotected = packets.read_unprotected_response(report)
            if unprotected is not None:
                return _refusal(unprotected.status)
            response = packets.open_response(report, SECURITY, _KEY, _KEY, self._keys(iccid))
            if response.tar != RFM_TAR or response.counter != counter:
                return Proof(ProofResult.NOT_UNDERSTOOD, "another_packets_proof")
            if response.status != ResponseStatus.POR_OK:
                return _refusal(response.status)
            done = scripts.read_answer(response.data, expanded=False)
        except SecuredPacketError as error:
            return Proof(ProofResult.NOT_UNDERSTOOD, error.code)
        if (done.executed, done.status) != (_COMMANDS, _OK):
            return Proof(ProofResult.REFUSED, f"script_{done.executed}_{done.status:04x}")
        if done.data != _whole(content):
            return Proof(ProofResult.REFUSED, "another_content")
        return Proof(ProofResult.PROVED, "por_ok")

    def _keys(self, iccid: Iccid) -> Keys:
        keys = self._vault.packet_keys(iccid)
        return Keys(keys.kic, keys.kid)


def _refusal(status: int) -> Proof:
    try:
        name = ResponseStatus(status).name.lower()
    except ValueError:
        name = f"status_{status:02x}"
    return Proof(ProofResult.COUNTER_LOW if status == ResponseStatus.COUNTER_LOW else ProofResult.REFUSED, name)


def _whole(content: bytes) -> bytes:
    return pad(content, SESSION_RECORD_FILE_OCTETS)
