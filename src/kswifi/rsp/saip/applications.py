"""Profile elements of applications: security domains with keys, remote file management, applets.

Only fields that the software card supports are decoded; other fields are ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.saip import der
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.package import ElementHeader, ElementKind, encode_element

ISD_PACKAGE_AID: Final = bytes.fromhex("A0000001515350")
ISD_CLASS_AID: Final = bytes.fromhex("A000000151535041")
MNO_SD_AID: Final = bytes.fromhex("A000000151000000")
KEY_TYPE_AES: Final = 0x88
KEY_TYPE_DES: Final = 0x80
KIC_IDENTIFIER: Final = 1
KID_IDENTIFIER: Final = 2
FULL_ACCESS: Final = b"\x00"
NO_ACCESS: Final = b"\xff"

_USAGE: Final = {KIC_IDENTIFIER: b"\x18", KID_IDENTIFIER: b"\x14"}  # GlobalPlatform, 11.1.9: cipher; checksum
_SD_PRIVILEGES: Final = bytes.fromhex("82DC00")
_PERSONALISED: Final = b"\x0f"
_SCP80: Final = bytes.fromhex("81028000")  # GlobalPlatform: the security domain supports SCP80
_KEYS_MAX: Final = 128
_TARS_MAX: Final = 16
_DATA_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainKey:
    """One key of a security domain. In SCP80 the version is the key set; identifier 1 is KIc, 2 KID, 3 DEK."""

    version: int
    identifier: int
    key_type: int
    value: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the entry (KeyObject)."""
        component = tlv.encode(0x30, tlv.encode(0x80, bytes([self.key_type])), tlv.encode(0x86, self.value))
        return tlv.encode(
            0x30,
            tlv.encode(0x95, _USAGE.get(self.identifier, b"\x48")),
            tlv.encode(0x82, bytes([self.identifier])),
            tlv.encode(0x83, bytes([self.version])),
            tlv.encode(0x30, component),
        )


@dataclass(frozen=True, slots=True)
class SecurityDomain:
    """A security domain's name and keys."""

    header: ElementHeader
    aid: bytes
    keys: tuple[DomainKey, ...]

    def encode(self) -> bytes:
        """Return the element for the profile's own domain (MNO-SD)."""
        instance = (
            tlv.encode(0x4F, ISD_PACKAGE_AID),
            tlv.encode(0x4F, ISD_CLASS_AID),
            tlv.encode(0x4F, self.aid),
            tlv.encode(0x82, _SD_PRIVILEGES),
            tlv.encode(0x83, _PERSONALISED),
            tlv.encode(0xC9, _SCP80),
        )
        return encode_element(
            ElementKind.SECURITY_DOMAIN,
            self.header.encode(),
            tlv.encode(0xA1, *instance),
            tlv.encode(0xA2, *(key.encode() for key in self.keys)),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value; keys of several components are ignored.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        fields = tlv.children(value)
        names = _names(der.required(fields, 0xA1, "instance"))
        keys = tuple(_keys(fields[0xA2].value)) if 0xA2 in fields else ()
        return cls(ElementHeader.decode(der.required(fields, 0xA0, "sd-Header")), names[2], keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFileManagement:
    """An application that receives secured packets addressed to one of its TARs (TS 102 226, 8).

    ``adf_aid`` is the ADF in which its scripts start, None for the MF. Access domains are kept as received:
    ``00`` is full access, ``FF`` none.
    """

    header: ElementHeader
    aid: bytes
    tars: tuple[bytes, ...]
    minimum_security_level: int
    shared_access: bytes = NO_ACCESS
    adf_aid: bytes | None = None
    adf_access: bytes = NO_ACCESS
    domain_aid: bytes | None = None

    def encode(self) -> bytes:
        """Return the element; access to administration (creating and deleting files) is never granted."""
        adf = b""
        if self.adf_aid is not None:
            adf = tlv.encode(
                0x30,
                tlv.encode(0x80, self.adf_aid),
                tlv.encode(0x81, self.adf_access),
                tlv.encode(0x82, NO_ACCESS),
            )
        return encode_element(
            ElementKind.RFM,
            self.header.encode(),
            tlv.encode(0x4F, self.aid),
            b"" if self.domain_aid is None else tlv.encode(0x4F, self.domain_aid),
            tlv.encode(0xA0, *(tlv.encode(0x04, tar) for tar in self.tars)),
            tlv.encode(0x81, bytes([self.minimum_security_level])),
            tlv.encode(0x04, self.shared_access),
            tlv.encode(0x04, NO_ACCESS),
            adf,
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value, where explicit tags make header and TARs look alike: their order counts.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        header, *items = tlv.walk(value)
        names = [item.value for item in items if item.tag == 0x4F]
        levels = [item.value for item in items if item.tag == 0x81]
        domains = [item.value for item in items if item.tag == 0x04]
        if header.tag != 0xA0 or not 1 <= len(names) <= 2 or len(levels) != 1 or len(levels[0]) != 1:
            raise ProfilePackageError("remote file management has a name and a minimum security level")
        if len(domains) != 2:
            raise ProfilePackageError("remote file management has two access domains")
        tars = tuple(tar.value for item in items if item.tag == 0xA0 for tar in tlv.walk(item.value))
        if len(tars) > _TARS_MAX or any(len(tar) != 3 for tar in tars):
            raise ProfilePackageError(f"remote file management has up to {_TARS_MAX} TARs of three octets")
        adf = next((tlv.children(item.value) for item in items if item.tag == 0x30), None)
        return cls(
            header=ElementHeader.decode(header.value),
            aid=names[0],
            domain_aid=names[1] if len(names) > 1 else None,
            tars=tars,
            minimum_security_level=levels[0][0],
            shared_access=domains[0],
            adf_aid=None if adf is None else der.required(adf, 0x80, "adfAID"),
            adf_access=NO_ACCESS if adf is None else der.required(adf, 0x81, "adfAccessDomain"),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """An instance of an applet that is already on the card, and its personalisation commands (STORE DATA)."""

    header: ElementHeader
    package_aid: bytes
    class_aid: bytes
    aid: bytes
    process_data: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the element, without applet code."""
        instance = tlv.encode(
            0x30,
            tlv.encode(0x4F, self.package_aid),
            tlv.encode(0x4F, self.class_aid),
            tlv.encode(0x4F, self.aid),
            tlv.encode(0x82, bytes(3)),
            tlv.encode(0xC9),
            tlv.encode(0x30, *(tlv.encode(0x04, command) for command in self.process_data)),
        )
        return encode_element(ElementKind.APPLICATION, self.header.encode(), tlv.encode(0xA2, instance))


def read_instances(value: bytes) -> tuple[Application, ...]:
    """Return the instances of an application element.

    Raises:
        ProfilePackageError: a field is missing or malformed.
    """
    fields = tlv.children(value)
    header = ElementHeader.decode(der.required(fields, 0xA0, "app-Header"))
    instances = list(tlv.walk(fields[0xA2].value)) if 0xA2 in fields else []
    return tuple(_instance(header, item.value) for item in instances)


def _instance(header: ElementHeader, value: bytes) -> Application:
    names = _names(value)
    data = [item.value for item in tlv.walk(value) if item.tag == 0x30]
    commands = tuple(item.value for item in tlv.walk(data[0])) if data else ()
    if len(commands) > _DATA_MAX:
        raise ProfilePackageError(f"an application is personalised by at most {_DATA_MAX} commands")
    package_aid, class_aid, aid = names[:3]
    return Application(header, package_aid, class_aid, aid, commands)


def _names(value: bytes) -> list[bytes]:
    """Return the AIDs of an instance: its package, class and instance, and its security domain if given."""
    names = [item.value for item in tlv.walk(value) if item.tag == 0x4F]
    if not 3 <= len(names) <= 4 or any(not 5 <= len(name) <= 16 for name in names):
        raise ProfilePackageError("an instance has the names of its package, its class and its own")
    return names


def _keys(value: bytes) -> Iterator[DomainKey]:
    entries = list(tlv.walk(value))
    if len(entries) > _KEYS_MAX:
        raise ProfilePackageError(f"a security domain has at most {_KEYS_MAX} keys")
    for entry in entries:
        fields = tlv.children(entry.value)
        components = list(tlv.walk(der.required(fields, 0x30, "keyComponents")))
        if len(components) != 1:
            continue
        component = tlv.children(components[0].value)
        yield DomainKey(
            version=der.sized(der.required(fields, 0x83, "keyVersionNumber"), 1, "keyVersionNumber")[0],
            identifier=der.sized(der.required(fields, 0x82, "keyIdentifier"), 1, "keyIdentifier")[0],
            key_type=der.sized(der.required(component, 0x80, "keyType"), 1, "keyType")[0],
            value=der.required(component, 0x86, "keyData"),
        )
