"""ES10: the functions of the card's ISD-R that an LPA calls, by STORE DATA on a logical channel (SGP.22, 5.7.2).

It needs only an object that answers command APDUs, so it works with a software card and with a real card in a
reader.
"""

from types import TracebackType
from typing import Final, Protocol, Self

from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Eid
from kswifi.rsp import tlv
from kswifi.rsp.fields import Fields, choice, encode_bits, encode_integer, encode_text
from kswifi.rsp.messages import profiles as messages
from kswifi.rsp.messages.euicc_info import TAG_EUICC_INFO1, TAG_EUICC_INFO2, EuiccInfo1, EuiccInfo2
from kswifi.rsp.messages.notifications import TAG_NOTIFICATION_METADATA, NotificationMetadata
from kswifi.rsp.messages.profiles import ProfileId, ProfileInfo, ProfileListRequest, ProfileSwitchRequest

ISD_R_AID: Final = bytes.fromhex("A0000005591010FFFFFFFF8900000100")
CHUNK_OCTETS: Final = 120
_OK: Final = 0x9000
_MORE_TO_FETCH: Final = (0x61, 0x9E, 0x9F)
_MORE_BLOCKS: Final = 0x11
_LAST_BLOCK: Final = 0x91
_TAG_CHALLENGE: Final = 0xBF2E
_ANSWER_MAX_OCTETS: Final = 1 << 20

RESULTS: Final = {
    1: "the card has no such profile",
    2: "the profile is not in the state that this needs",
    3: "the profile's policy rules forbid it",
    4: "the profile may not be enabled again",
    5: "the card is busy",
}


class CardError(KswifiError):
    """The card refused a command; the facts hold its status word or result."""

    code = "card_refused"


class ApduReader(Protocol):
    """Something that answers command APDUs: a software card, or a card in a reader."""

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU unchanged; return the response data and the two octets of the status word."""
        ...


def exchange(reader: ApduReader, command: bytes) -> tuple[bytes, int]:
    """Send a command, fetch its whole answer, and return data and status word.

    A card announces the length of its answer with 61xx, or 9Fxx and 9Exx in the class of GSM SIMs (TS 51.011,
    9.4.1), and GET RESPONSE fetches it. With 6Cxx it asks for the same command with the right length (TS 102 221,
    7.3.1.1).
    """
    data, status = _split(reader.transmit(command))
    if status >> 8 == 0x6C:
        data, status = _split(reader.transmit(command[:4] + bytes([status & 0xFF])))
    while status >> 8 in _MORE_TO_FETCH and len(data) < _ANSWER_MAX_OCTETS:
        more, status = _split(reader.transmit(bytes([command[0], 0xC0, 0, 0, status & 0xFF])))
        data += more
    return data, status


def refusal(message: str, status: int) -> CardError:
    """Return the CardError for a status word."""
    return CardError(f"{message} (status {status:04X})", status_word=f"{status:04X}")


class Es10:
    """The ISD-R of a card, selected on a logical channel. Use it with ``with``, so that the channel is closed.

    Args:
        reader: the card.
        chunk_octets: how many octets of a request go into one STORE DATA command, at most 255.

    Raises:
        CardError: no logical channel is free, or the card has no ISD-R.
    """

    def __init__(self, reader: ApduReader, chunk_octets: int = CHUNK_OCTETS) -> None:
        self._reader = reader
        self._chunk_octets = chunk_octets
        self._channel = self._must(bytes.fromhex("0070000001"), "no logical channel is free")[0]
        try:
            self._must(bytes([self._channel, 0xA4, 0x04, 0x00, 16]) + ISD_R_AID, "the card has no ISD-R")
        except CardError:
            self.close()
            raise

    def close(self) -> None:
        """Close the channel."""
        exchange(self._reader, bytes([0x00, 0x70, 0x80, self._channel]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, request: bytes) -> bytes:
        """Send one request in chunks; return the answer to the last chunk, which may be empty.

        Raises:
            CardError: the ISD-R answers a chunk with a status other than 9000.
        """
        answer = b""
        starts = range(0, len(request), self._chunk_octets)
        for number, start in enumerate(starts):
            chunk = request[start : start + self._chunk_octets]
            p1 = _LAST_BLOCK if start + self._chunk_octets >= len(request) else _MORE_BLOCKS
            header = bytes([0x80 | self._channel, 0xE2, p1, number & 0xFF, len(chunk)])
            answer = self._must(header + chunk, "the ISD-R refused the command")
        return answer

    def eid(self) -> Eid:
        """Return the card's EID (5.7.20)."""
        answer = self.send(tlv.encode(messages.TAG_GET_EUICC_DATA, tlv.encode(0x5C, b"\x5a")))
        return Eid.as_read(messages.decode_eid(answer).hex())

    def info1(self) -> EuiccInfo1:
        """Return EUICCInfo1 (5.7.8)."""
        return EuiccInfo1.decode(self.send(tlv.encode(TAG_EUICC_INFO1)))

    def info2(self) -> EuiccInfo2:
        """Return EUICCInfo2 (5.7.8)."""
        return EuiccInfo2.decode(self.send(tlv.encode(TAG_EUICC_INFO2)))

    def challenge(self) -> bytes:
        """Begin a transaction; return euiccChallenge (5.7.7)."""
        answer = self.send(tlv.encode(_TAG_CHALLENGE))
        return Fields.of(answer, _TAG_CHALLENGE, "GetEuiccChallengeResponse").octets(0x80, 16, 16)

    def addresses(self) -> tuple[str | None, str]:
        """Return the default SM-DP+ address, if there is one, and the root SM-DS address (5.7.3)."""
        return messages.decode_configured_addresses(self.send(tlv.encode(messages.TAG_CONFIGURED_ADDRESSES)))

    def set_default_smdp(self, address: str) -> None:
        """Set the default SM-DP+ address; an empty one removes it (5.7.4)."""
        self._result(messages.TAG_SET_DEFAULT_DP, encode_text(0x80, address))

    def profiles(self, tags: tuple[int, ...] | None = None) -> tuple[ProfileInfo, ...]:
        """List the profiles with the given tags; with None, those that the card lists by default (5.7.15)."""
        answer = messages.decode_profile_list(self.send(ProfileListRequest(tags=tags).encode()))
        if isinstance(answer, int):
            raise CardError("the card does not list its profiles", result=answer)
        return answer

    def enable(self, profile: ProfileId, *, refresh: bool = False) -> None:
        """Enable a profile; the card disables the one that was enabled before (5.7.16)."""
        self._switch(messages.TAG_ENABLE_PROFILE, profile, refresh)

    def disable(self, profile: ProfileId, *, refresh: bool = False) -> None:
        """Disable a profile (5.7.17)."""
        self._switch(messages.TAG_DISABLE_PROFILE, profile, refresh)

    def delete(self, profile: ProfileId) -> None:
        """Delete a disabled profile and everything it brought (5.7.18)."""
        self._result(messages.TAG_DELETE_PROFILE, profile.encode())

    def set_nickname(self, iccid: bytes, nickname: str) -> None:
        """Set a profile's nickname; an empty one removes it (5.7.21)."""
        request = messages.encode_nickname_request(iccid, nickname)
        _check(messages.decode_result(self.send(request), messages.TAG_SET_NICKNAME))

    def memory_reset(self) -> bool:
        """Delete all operational profiles and the default SM-DP+ address; return whether there was anything."""
        answer = self.send(tlv.encode(messages.TAG_MEMORY_RESET, encode_bits(0x82, [0, 1, 2])))
        code = messages.decode_result(answer, messages.TAG_MEMORY_RESET)
        if code > 1:
            _check(code)
        return code == 0

    def notifications(self) -> list[NotificationMetadata]:
        """List the notifications that are not delivered yet (5.7.9)."""
        item = choice(
            self.send(tlv.encode(messages.TAG_LIST_NOTIFICATIONS)),
            messages.TAG_LIST_NOTIFICATIONS,
            "ListNotification",
        )
        entries = Fields(item.value, "ListNotification")
        return [NotificationMetadata.decode(entry.raw) for entry in entries.every(TAG_NOTIFICATION_METADATA)]

    def retrieve_notification(self, sequence_number: int) -> bytes:
        """Return one PendingNotification as the card signed it (5.7.10).

        Raises:
            CardError: the card has no notification with this number.
        """
        tag = messages.TAG_RETRIEVE_NOTIFICATIONS
        answer = self.send(tlv.encode(tag, tlv.encode(0xA0, encode_integer(0x80, sequence_number))))
        item = choice(answer, tag, "RetrieveNotificationsList")
        found = list(tlv.walk(item.value)) if item.tag == 0xA0 else []
        if len(found) != 1:
            raise CardError("the card has no such notification", sequence_number=sequence_number)
        return found[0].raw

    def remove_notification(self, sequence_number: int) -> None:
        """Remove a delivered notification from the card (5.7.11)."""
        answer = self.send(tlv.encode(messages.TAG_NOTIFICATION_SENT, encode_integer(0x80, sequence_number)))
        if messages.decode_result(answer, messages.TAG_NOTIFICATION_SENT):
            raise CardError("the card has no such notification", sequence_number=sequence_number)

    def _switch(self, tag: int, profile: ProfileId, refresh: bool) -> None:
        answer = self.send(ProfileSwitchRequest(profile, refresh).encode(tag))
        _check(messages.decode_result(answer, tag))

    def _result(self, tag: int, content: bytes) -> None:
        _check(messages.decode_result(self.send(tlv.encode(tag, content)), tag))

    def _must(self, command: bytes, otherwise: str) -> bytes:
        data, status = exchange(self._reader, command)
        if status != _OK:
            raise refusal(otherwise, status)
        return data


def _check(code: int) -> None:
    if code:
        raise CardError(RESULTS.get(code, "the card refused"), result=code)


def _split(response: bytes) -> tuple[bytes, int]:
    if len(response) < 2:
        raise CardError("the card gave no answer", octets=len(response))
    return response[:-2], int.from_bytes(response[-2:], "big")
