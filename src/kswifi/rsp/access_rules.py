"""Rules of the Access Rule Application Master (ARA-M): the apps that a card trusts (GlobalPlatform SEAC, 4 and 6).

Android gives carrier privileges to an app if a rule of the SIM names the app's signing certificate
(source.android.com, "UICC carrier privileges"). Such an app may send secured packets to the card.
"""

from dataclasses import dataclass
from typing import Final

from kswifi.rsp import tlv

ARA_M_PACKAGE_AID: Final = bytes.fromhex("A00000015141434C")
ARA_M_AID: Final = bytes.fromhex("A00000015141434C00")
ALL_RULES: Final = 0xFF40
STORE_RULE: Final = bytes.fromhex("80E29000")

_RULE: Final = 0xE2
_WHO: Final = 0xE1
_WHAT: Final = 0xE3
_CARRIER_PRIVILEGES: Final = bytes.fromhex("FFFFFFFFFFFF")  # the AID that Android asks for
_STORE: Final = 0xF0
_PERMISSIONS: Final = bytes.fromhex("0000000000000001")


@dataclass(frozen=True, slots=True)
class CarrierApp:
    """An app, named by the SHA-256 of its signing certificate and optionally by its package name."""

    certificate_sha256: bytes
    package: str = ""

    def rule(self) -> bytes:
        """Return the REF-AR-DO: the reference (AID, certificate, package) and the permissions."""
        who = (
            tlv.encode(0x4F, _CARRIER_PRIVILEGES),
            tlv.encode(0xC1, self.certificate_sha256),
            tlv.encode(0xCA, self.package.encode("ascii")) if self.package else b"",
        )
        return tlv.encode(_RULE, tlv.encode(_WHO, *who), tlv.encode(_WHAT, tlv.encode(0xDB, _PERMISSIONS)))

    def store_command(self) -> bytes:
        """Return the STORE DATA command that adds the rule to the applet (SEAC, 6.1.3)."""
        data = tlv.encode(_STORE, self.rule())
        return STORE_RULE + bytes([len(data)]) + data


def stored_rule(command: bytes) -> bytes | None:
    """Return the rule in a STORE DATA command; None if the command has other content.

    Raises:
        TlvError: the content is malformed.
    """
    if command[:4] != STORE_RULE or len(command) < 5 or command[4] != len(command) - 5:
        return None
    item = tlv.children(tlv.only(command[5:], _STORE).value).get(_RULE)
    return None if item is None else item.raw
