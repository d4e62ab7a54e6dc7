"""A profile package as a sequence of profile elements, each kept as the octets received.

All elements are identified, even those that are not decoded further: a card refuses an unknown mandatory
element and ignores other unknown ones. The decoded forms are in `elements`, `files` and `applications`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kswifi.rsp import tlv
from kswifi.rsp.saip import der
from kswifi.rsp.saip.errors import ProfilePackageError

PACKAGE_MAX_OCTETS: Final = 256 * 1024
_ELEMENTS_MAX: Final = 512


class ElementKind(StrEnum):
    """The alternatives of ProfileElement, in the order of their tags."""

    HEADER = "header"
    GENERIC_FILE_MANAGEMENT = "genericFileManagement"
    PIN_CODES = "pinCodes"
    PUK_CODES = "pukCodes"
    AKA_PARAMETER = "akaParameter"
    CDMA_PARAMETER = "cdmaParameter"
    SECURITY_DOMAIN = "securityDomain"
    RFM = "rfm"
    APPLICATION = "application"
    NON_STANDARD = "nonStandard"
    END = "end"
    RFU_1 = "rfu1"
    RFU_2 = "rfu2"
    RFU_3 = "rfu3"
    RFU_4 = "rfu4"
    RFU_5 = "rfu5"
    MF = "mf"
    CD = "cd"
    TELECOM = "telecom"
    USIM = "usim"
    OPT_USIM = "opt-usim"
    ISIM = "isim"
    OPT_ISIM = "opt-isim"
    PHONEBOOK = "phonebook"
    GSM_ACCESS = "gsm-access"
    CSIM = "csim"
    OPT_CSIM = "opt-csim"
    EAP = "eap"
    DF_5GS = "df-5gs"
    DF_SAIP = "df-saip"
    DF_SNPN = "df-snpn"
    DF_5GPROSE = "df-5gprose"
    IOT = "iot"
    OPT_IOT = "opt-iot"
    UNKNOWN = "unknown"


_KINDS: Final = tuple(ElementKind)
_TAGS: Final = {kind: der.context_tag(place, constructed=True) for place, kind in enumerate(_KINDS)}


@dataclass(frozen=True, slots=True)
class ElementHeader:
    """The header of every element but the first: its number, and whether a card must support it."""

    identification: int
    mandated: bool = True

    def encode(self, tag: int = 0xA0) -> bytes:
        """Return the header as a data object."""
        mandated = tlv.encode(0x80) if self.mandated else b""
        return tlv.encode(tag, mandated, tlv.encode(0x81, der.encode_integer(self.identification)))

    @classmethod
    def decode(cls, value: bytes) -> "ElementHeader":
        """Decode the value of a header.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        fields = tlv.children(value)
        return cls(
            identification=der.decode_integer(der.required(fields, 0x81, "identification")),
            mandated=0x80 in fields,
        )


@dataclass(frozen=True, slots=True)
class ProfileElement:
    """One element: its kind and its octets, which may contain keys and are excluded from ``repr``.

    ``header`` is None for the profile header, which has none.
    """

    kind: ElementKind
    header: ElementHeader | None
    raw: bytes = field(repr=False)

    @property
    def value(self) -> bytes:
        """Return the element's content without its tag and length."""
        return tlv.read(self.raw)[0].value


def encode_element(kind: ElementKind, *fields: bytes) -> bytes:
    """Return a profile element with these encoded fields."""
    return tlv.encode(_TAGS[kind], *fields)


def read_package(octets: bytes) -> tuple[ProfileElement, ...]:
    """Split a package into its elements; check that the header is first, the end last, and numbers are unique.

    Raises:
        ProfilePackageError: the octets are not a profile package.
    """
    if len(octets) > PACKAGE_MAX_OCTETS:
        raise ProfilePackageError(f"a profile package has at most {PACKAGE_MAX_OCTETS} octets", octets=len(octets))
    try:
        elements = tuple(_elements(octets))
    except tlv.TlvError as error:
        raise ProfilePackageError(f"the profile package is malformed: {error.message}") from error
    if not elements or elements[0].kind is not ElementKind.HEADER:
        raise ProfilePackageError("a profile package begins with its header")
    if elements[-1].kind is not ElementKind.END or any(e.kind is ElementKind.END for e in elements[:-1]):
        raise ProfilePackageError("a profile package ends with its one end element")
    numbers = [e.header.identification for e in elements if e.header is not None]
    if len(numbers) != len(elements) - 1 or len(set(numbers)) != len(numbers):
        raise ProfilePackageError("the elements of a profile package bear numbers of their own")
    return elements


def _elements(octets: bytes) -> Iterator[ProfileElement]:
    for count, item in enumerate(tlv.walk(octets)):
        if count >= _ELEMENTS_MAX:
            raise ProfilePackageError(f"a profile package has at most {_ELEMENTS_MAX} elements")
        place = der.place_of(item.tag)
        kind = _KINDS[place] if item.tag in _TAGS.values() else ElementKind.UNKNOWN
        header = None
        if kind is not ElementKind.HEADER:
            first, _ = tlv.read(item.value)
            if first.tag != 0xA0:
                raise ProfilePackageError(f"element {kind} has no header", element=str(kind))
            header = ElementHeader.decode(first.value)
        yield ProfileElement(kind, header, item.raw)
