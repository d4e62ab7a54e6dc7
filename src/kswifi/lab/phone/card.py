"""The card in the lab phone: a software eUICC in a directory, reached by APDUs alone.

Everything a method here learns or changes, it learns or changes by command APDUs (TS 102 221, TS 31.102,
SGP.22 ES10c), so that a real card behind a reader can take this one's place. The one exception is the loading of
a profile package in the clear: the secured download replaces it behind the same method.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kswifi.euicc.card import Euicc, LoadResult
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.errors import KswifiError
from kswifi.kernel.numbers import Eid, Iccid, Imsi
from kswifi.rsp import tlv
from kswifi.rsp.session_record import is_empty_record

ISD_R_AID: Final = bytes.fromhex("A0000005591010FFFFFFFF8900000100")
USIM_AID_PREFIX: Final = bytes.fromhex("A0000000871002")
SESSION_RECORDS_PATH: Final = bytes.fromhex("7FFF5F104F01")
EF_ICCID_PATH: Final = bytes.fromhex("2FE2")
EF_IMSI_PATH: Final = bytes.fromhex("7FFF6F07")

_OK: Final = 0x9000
_INCORRECT_MAC: Final = 0x9862  # TS 31.102, 7.3
_RECORD_NOT_FOUND: Final = 0x6A83
_STORE_DATA_CHUNK_OCTETS: Final = 120

_ES10C_RESULTS: Final = {
    1: "the card has no such profile",
    2: "the profile is not in the state that this needs",
    3: "the profile's policy rules forbid it",
}


class CardError(KswifiError):
    """The card refused, and says why by its status word or result."""

    code = "card_refused"


@dataclass(frozen=True, slots=True)
class AuthenticateResult:
    """What AUTHENTICATE answered (TS 31.102, 7.1.2): keys, or AUTS, or that the MAC was wrong.

    Exactly one of the three: ``res``, ``ck`` and ``ik`` together; ``auts`` (14 octets); ``mac_failure``.
    """

    res: bytes | None = field(default=None, repr=False)
    ck: bytes | None = field(default=None, repr=False)
    ik: bytes | None = field(default=None, repr=False)
    auts: bytes | None = None
    mac_failure: bool = False


@dataclass(frozen=True, slots=True)
class InstalledProfile:
    """One line of the card's profile list (SGP.22, 5.7.15)."""

    iccid: Iccid
    isdp_aid: bytes
    enabled: bool
    name: str
    service_provider_name: str


class Card:
    """A card that this process alone has in its hands: close it (or use ``with``) to let another take it."""

    def __init__(self, euicc: Euicc) -> None:
        self._euicc = euicc

    @classmethod
    def create(cls, directory: Path, eid: Eid) -> Self:
        """Make an empty card in a directory that has none.

        Raises:
            CardExistsError: there is one already; a card is never overwritten.
            CardBusyError: another process holds the directory.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(Euicc.create(DirectoryStorage.open(directory), eid))

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Take the card of a directory in hand; its channels and verified PINs start afresh (a power-on).

        Raises:
            CardMissingError: there is no card.
            CardDamagedError: its state is not what was written; nothing is repaired by guessing.
            CardBusyError: another process holds it.
        """
        return cls(Euicc.open(DirectoryStorage.open(directory)))

    def close(self) -> None:
        """Let the card go."""
        self._euicc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU as it is; return the response data and its two status octets."""
        return self._euicc.transmit(command)

    def exchange(self, command: bytes) -> tuple[bytes, int]:
        """Send a command and fetch all of its answer (61xx, 6Cxx: TS 102 221, 7.3.1.1); return data and status."""
        data, status = _split(self.transmit(command))
        if status >> 8 == 0x6C:
            data, status = _split(self.transmit(command[:4] + bytes([status & 0xFF])))
        while status >> 8 == 0x61:
            more, status = _split(self.transmit(bytes([command[0], 0xC0, 0, 0, status & 0xFF])))
            data += more
        return data, status

    def select_usim(self) -> bytes:
        """Select the enabled profile's USIM on the basic channel; return its FCP template.

        Raises:
            CardError: no profile is enabled.
        """
        return self._must(b"\x00\xa4\x04\x04" + _lv(USIM_AID_PREFIX), "the card has no USIM: is a profile enabled?")

    def iccid(self) -> Iccid:
        """Read EF.ICCID of the enabled profile.

        Raises:
            CardError: no profile is enabled.
        """
        self._select_path(EF_ICCID_PATH, "the card shows no EF.ICCID: is a profile enabled?")
        return Iccid.from_bytes(self._must(bytes.fromhex("00B000000A"), "EF.ICCID cannot be read"))

    def imsi(self) -> Imsi:
        """Read EF.IMSI of the enabled profile.

        Raises:
            CardError: no profile is enabled, or its PIN has to be verified first.
        """
        self.select_usim()
        self._select_path(EF_IMSI_PATH, "the USIM has no EF.IMSI")
        return Imsi.from_bytes(self._must(bytes.fromhex("00B0000009"), "EF.IMSI cannot be read"))

    def authenticate(self, rand: bytes, autn: bytes) -> AuthenticateResult:
        """Answer a challenge of the network (TS 31.102, 7.1.2, 3G security context).

        Raises:
            CardError: no profile is enabled, or the card refuses for another reason than the challenge.
        """
        self.select_usim()
        data, status = self.exchange(b"\x00\x88\x00\x81" + _lv(_lv(rand) + _lv(autn)))
        if status == _INCORRECT_MAC:
            return AuthenticateResult(mac_failure=True)
        if status != _OK or not data:
            raise _refusal("the card did not authenticate", status)
        if data[0] == 0xDC:
            return AuthenticateResult(auts=_values(data[1:])[0])
        res, ck, ik = _values(data[1:])[:3]
        return AuthenticateResult(res=res, ck=ck, ik=ik)

    def read_session_records(self) -> list[bytes]:
        """Read the records of EF.SESSIONS that hold one, padding included, in the order of their numbers.

        Raises:
            CardError: no profile is enabled, or it has no such file.
        """
        self.select_usim()
        self._select_path(SESSION_RECORDS_PATH, "the profile has no file of session records")
        records = []
        for number in range(1, 255):
            data, status = self.exchange(bytes([0x00, 0xB2, number, 0x04, 0x00]))
            if status == _RECORD_NOT_FOUND:
                break
            if status != _OK:
                raise _refusal(f"session record {number} cannot be read", status)
            if not is_empty_record(data):
                records.append(data)
        return records

    def eid(self) -> Eid:
        """Ask the ISD-R for the card's EID (SGP.22, 5.7.20)."""
        answer = self._es10(tlv.encode(0xBF3E, tlv.encode(0x5C, b"\x5a")), 0xBF3E)
        return Eid(tlv.only(answer, 0x5A).value.hex())

    def profiles(self) -> list[InstalledProfile]:
        """List the card's profiles (ES10c.GetProfilesInfo: SGP.22, 5.7.15)."""
        answer = self._es10(tlv.encode(0xBF2D), 0xBF2D)
        return [_profile(entry.value) for entry in tlv.walk(tlv.only(answer, 0xA0).value)]

    def enable(self, iccid: Iccid) -> None:
        """Enable a profile; the one enabled before is disabled by the card (SGP.22, 5.7.16).

        Raises:
            CardError: there is no such profile, or it is enabled already.
        """
        self._es10_result(0xBF31, tlv.encode(0xA0, tlv.encode(0x5A, iccid.to_bytes())) + b"\x81\x01\x00")

    def disable(self, iccid: Iccid) -> None:
        """Disable a profile (SGP.22, 5.7.17).

        Raises:
            CardError: there is no such profile, or it is not enabled.
        """
        self._es10_result(0xBF32, tlv.encode(0xA0, tlv.encode(0x5A, iccid.to_bytes())) + b"\x81\x01\x00")

    def delete(self, iccid: Iccid) -> None:
        """Delete a disabled profile, its keys and records (SGP.22, 5.7.18).

        Raises:
            CardError: there is no such profile, or it is enabled.
        """
        self._es10_result(0xBF33, tlv.encode(0x5A, iccid.to_bytes()))

    def load_profile_package(self, der: bytes) -> LoadResult:
        """Install an interoperable profile package, disabled, whole or not at all.

        Raises:
            ProfileRefusedError: malformed, unsupported, already on the card, or too big for what is free.
        """
        return self._euicc.load_profile_package(der)

    def _must(self, command: bytes, otherwise: str) -> bytes:
        data, status = self.exchange(command)
        if status != _OK:
            raise _refusal(otherwise, status)
        return data

    def _select_path(self, path: bytes, otherwise: str) -> None:
        self._must(b"\x00\xa4\x08\x0c" + _lv(path), otherwise)

    def _es10(self, request: bytes, tag: int) -> bytes:
        """Send one ES10 request by STORE DATA on a logical channel of its own (SGP.22, 5.7.2)."""
        channel = self._must(bytes.fromhex("0070000001"), "no logical channel is free")[0]
        try:
            self._must(bytes([channel, 0xA4, 0x04, 0x00]) + _lv(ISD_R_AID), "the card has no ISD-R")
            chunks = [
                request[i : i + _STORE_DATA_CHUNK_OCTETS] for i in range(0, len(request), _STORE_DATA_CHUNK_OCTETS)
            ]
            answer = b""
            for number, chunk in enumerate(chunks):
                p1 = 0x91 if number == len(chunks) - 1 else 0x11
                answer = self._must(
                    bytes([0x80 | channel, 0xE2, p1, number]) + _lv(chunk), "the ISD-R refused the command"
                )
            return tlv.only(answer, tag).value
        finally:
            self.exchange(bytes([0x00, 0x70, 0x80, channel]))

    def _es10_result(self, tag: int, request: bytes) -> None:
        result = tlv.only(self._es10(tlv.encode(tag, request), tag), 0x80).value[0]
        if result:
            raise CardError(_ES10C_RESULTS.get(result, "the card refused"), result=result)


def _lv(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def _split(response: bytes) -> tuple[bytes, int]:
    return response[:-2], int.from_bytes(response[-2:], "big")


def _values(data: bytes) -> list[bytes]:
    """Read length-value pairs one after another."""
    values = []
    while data:
        values.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return values


def _refusal(message: str, status: int) -> CardError:
    return CardError(f"{message} (status {status:04X})", status_word=f"{status:04X}")


def _profile(entry: bytes) -> InstalledProfile:
    fields = tlv.children(entry)
    return InstalledProfile(
        iccid=Iccid.from_bytes(fields[0x5A].value),
        isdp_aid=fields[0x4F].value,
        enabled=fields[0x9F70].value == b"\x01",
        name=_text(fields.get(0x92)),
        service_provider_name=_text(fields.get(0x91)),
    )


def _text(item: tlv.Tlv | None) -> str:
    return "" if item is None else item.value.decode(errors="replace")
