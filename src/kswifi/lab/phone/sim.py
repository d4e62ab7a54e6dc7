"""A SIM as a phone uses it, through command APDUs only (TS 102 221, TS 31.102).

It works with a software card and with a real card in a reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kswifi.kernel.numbers import Eid, Iccid, Imsi
from kswifi.lab.phone.es10 import ApduReader, CardError, Es10, exchange, refusal
from kswifi.rsp.messages.profiles import ProfileId, ProfileInfo
from kswifi.rsp.session_record import is_empty_record

USIM_AID_PREFIX: Final = bytes.fromhex("A0000000871002")
SESSION_RECORDS_PATH: Final = bytes.fromhex("7FFF5F104F01")
EF_ICCID_PATH: Final = bytes.fromhex("2FE2")
EF_IMSI_PATH: Final = bytes.fromhex("7FFF6F07")

_OK: Final = 0x9000
_TAKEN: Final = (0x90, 0x91)  # 91xx: success, and the card has a proactive command waiting (TS 102 221, 10.2.1.1)
_INCORRECT_MAC: Final = 0x9862  # TS 31.102, 7.3
_RECORD_NOT_FOUND: Final = 0x6A83


@dataclass(frozen=True, slots=True)
class AuthenticateResult:
    """The answer to AUTHENTICATE (TS 31.102, 7.1.2).

    Exactly one of three is set: ``res``, ``ck`` and ``ik`` together; ``auts`` (14 octets), if the sequence number
    is not acceptable; ``mac_failure``, if the challenge was not made with the card's key.
    """

    res: bytes | None = field(default=None, repr=False)
    ck: bytes | None = field(default=None, repr=False)
    ik: bytes | None = field(default=None, repr=False)
    auts: bytes | None = None
    mac_failure: bool = False


@dataclass(frozen=True, slots=True)
class InstalledProfile:
    """One entry of the card's profile list (SGP.22, 5.7.15)."""

    iccid: Iccid
    isdp_aid: bytes
    enabled: bool
    name: str
    service_provider_name: str


class SimCard:
    """A card, reached through something that answers command APDUs."""

    def __init__(self, reader: ApduReader) -> None:
        self._reader = reader

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU unchanged; return the response data and the two octets of the status word."""
        return self._reader.transmit(command)

    def exchange(self, command: bytes) -> tuple[bytes, int]:
        """Send a command, fetch its whole answer (61xx, 6Cxx: TS 102 221, 7.3.1.1); return data and status word."""
        return exchange(self, command)

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

    def hand_over(self, iccid: Iccid, envelopes: Sequence[bytes]) -> bytes:
        """Give a secured packet to the enabled profile; return data and status word of the last command.

        The radio may be off, because the commands go from the phone to the card (TS 31.111, 7.1.1).

        Args:
            iccid: the profile that the packet is for.
            envelopes: its ENVELOPE commands; the rest is not sent after one that fails.

        Raises:
            CardError: this profile is not enabled; ``reason`` in the facts is ``profile_disabled``.
        """
        enabled = next((it.iccid for it in self.profiles() if it.enabled), None)
        if enabled != iccid:
            raise CardError("the profile that the packet is for is not enabled", reason="profile_disabled")
        data, status = b"", _OK
        for envelope in envelopes:
            data, status = self.exchange(envelope)
            if status >> 8 not in _TAKEN:
                break
        return data + status.to_bytes(2, "big")

    def authenticate(self, rand: bytes, autn: bytes) -> AuthenticateResult:
        """Answer a challenge of the network (TS 31.102, 7.1.2, 3G security context).

        Raises:
            CardError: no profile is enabled, or the card refused the command itself.
        """
        self.select_usim()
        data, status = self.exchange(b"\x00\x88\x00\x81" + _lv(_lv(rand) + _lv(autn)))
        if status == _INCORRECT_MAC:
            return AuthenticateResult(mac_failure=True)
        if status != _OK or not data:
            raise refusal("the card did not authenticate", status)
        if data[0] == 0xDC:
            return AuthenticateResult(auts=_values(data[1:])[0])
        res, ck, ik = _values(data[1:])[:3]
        return AuthenticateResult(res=res, ck=ck, ik=ik)

    def read_session_records(self) -> list[bytes]:
        """Read the records of EF.SESSIONS that are not empty, with their padding, in the order of their numbers.

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
                raise refusal(f"session record {number} cannot be read", status)
            if not is_empty_record(data):
                records.append(data)
        return records

    def eid(self) -> Eid:
        """Ask the ISD-R for the card's EID (SGP.22, 5.7.20)."""
        with Es10(self) as es10:
            return es10.eid()

    def profiles(self) -> list[InstalledProfile]:
        """List the card's profiles (ES10c.GetProfilesInfo: SGP.22, 5.7.15)."""
        with Es10(self) as es10:
            return [_profile(info) for info in es10.profiles()]

    def enable(self, iccid: Iccid) -> None:
        """Enable a profile; the card disables the one that was enabled before (SGP.22, 5.7.16).

        Raises:
            CardError: there is no such profile, or it is enabled already.
        """
        with Es10(self) as es10:
            es10.enable(ProfileId.of_iccid(iccid.to_bytes()))

    def disable(self, iccid: Iccid) -> None:
        """Disable a profile (SGP.22, 5.7.17).

        Raises:
            CardError: there is no such profile, or it is not enabled.
        """
        with Es10(self) as es10:
            es10.disable(ProfileId.of_iccid(iccid.to_bytes()))

    def delete(self, iccid: Iccid) -> None:
        """Delete a disabled profile with its keys and records (SGP.22, 5.7.18).

        Raises:
            CardError: there is no such profile, or it is enabled.
        """
        with Es10(self) as es10:
            es10.delete(ProfileId.of_iccid(iccid.to_bytes()))

    def _must(self, command: bytes, otherwise: str) -> bytes:
        data, status = self.exchange(command)
        if status != _OK:
            raise refusal(otherwise, status)
        return data

    def _select_path(self, path: bytes, otherwise: str) -> None:
        self._must(b"\x00\xa4\x08\x0c" + _lv(path), otherwise)


def _lv(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def _values(data: bytes) -> list[bytes]:
    """Return the values of consecutive length-value pairs."""
    values = []
    while data:
        values.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return values


def _profile(info: ProfileInfo) -> InstalledProfile:
    if info.iccid is None or info.aid is None:
        raise CardError("the card lists a profile without its numbers")
    return InstalledProfile(
        iccid=Iccid.from_bytes(info.iccid),
        isdp_aid=info.aid,
        enabled=info.state == 1,
        name=info.profile_name or "",
        service_provider_name=info.service_provider_name or "",
    )
