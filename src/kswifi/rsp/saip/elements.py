"""The profile elements without files: profile header, PIN and PUK codes, AKA parameters, end.

Decoding and encoding an element gives the same octets; secrets are excluded from ``repr``.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from kswifi.kernel.numbers import Iccid
from kswifi.rsp import tlv
from kswifi.rsp.saip import der
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.package import ElementHeader, ElementKind, ProfileElement, encode_element

SERVICES: Final = (
    "contactless", "usim", "isim", "csim", "milenage", "tuak128", "cave", "gba-usim", "gba-isim", "mbms", "eap",
    "javacard", "multos", "multiple-usim", "multiple-isim", "multiple-csim", "tuak256", "usim-test-algorithm",
    "ber-tlv", "dfLink", "cat-tp", "get-identity", "profile-a-x25519", "profile-b-p256", "suciCalculatorApi",
    "dns-resolution", "scp11ac", "scp11c-authorization-mechanism", "s16mode", "eaka",
)  # fmt: skip
"""The services that a profile may declare mandatory, in the order of their tags."""

ALGORITHM_MILENAGE: Final = 1
ALGORITHM_USIM_TEST: Final = 3
RES_64_BITS: Final = b"\x01"  # algorithmOptions: the length of RES
DEFAULT_ROTATION: Final = bytes.fromhex("4000204060")
DEFAULT_XORING: Final = b"".join(constant.to_bytes(16, "big") for constant in (0, 1, 2, 4, 8))
SQN_WRAP_AROUND_PROTECTION: Final = b"\x02"
SQN_INDICES: Final = 32
_SQN_DELTA: Final = bytes.fromhex("000010000000")
_ZERO_SQN: Final = bytes(6)
_PIN_ATTRIBUTES: Final = 7
_PIN_ATTEMPTS: Final = 0x33
_PUK_ATTEMPTS: Final = 0xAA
_CODES_MAX: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHeader:
    """The profile's ICCID, and what a card must support; here ``iccid`` has no swapped nibbles."""

    major_version: int
    minor_version: int
    profile_type: str | None
    iccid: Iccid
    policy: bytes | None = None
    mandatory_services: tuple[str, ...]
    mandatory_templates: tuple[str, ...]
    trailing: bytes = b""
    """Connectivity parameters, mandatory AIDs and IoT options, as received."""

    def encode(self) -> bytes:
        """Return the element."""
        return encode_element(
            ElementKind.HEADER,
            tlv.encode(0x80, der.encode_integer(self.major_version)),
            tlv.encode(0x81, der.encode_integer(self.minor_version)),
            der.optional(0x82, None if self.profile_type is None else self.profile_type.encode()),
            tlv.encode(0x83, bytes.fromhex(self.iccid.ljust(20, "F"))),
            der.optional(0x84, self.policy),
            tlv.encode(
                0xA5,
                *(
                    tlv.encode(der.context_tag(SERVICES.index(name), constructed=False))
                    for name in self.mandatory_services
                ),
            ),
            tlv.encode(0xA6, *(tlv.encode(0x06, der.encode_oid(oid)) for oid in self.mandatory_templates)),
            self.trailing,
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        fields = tlv.children(value)
        profile_type = fields.get(0x82)
        return cls(
            major_version=der.decode_integer(der.required(fields, 0x80, "major-version")),
            minor_version=der.decode_integer(der.required(fields, 0x81, "minor-version")),
            profile_type=None if profile_type is None else _text(profile_type.value),
            iccid=Iccid.as_read(der.sized(der.required(fields, 0x83, "iccid"), 10, "iccid").hex()),
            policy=fields[0x84].value if 0x84 in fields else None,
            mandatory_services=tuple(
                _service(item.tag) for item in tlv.walk(der.required(fields, 0xA5, "eUICC-Mandatory-services"))
            ),
            mandatory_templates=tuple(
                der.decode_oid(item.value)
                for item in tlv.walk(der.required(fields, 0xA6, "eUICC-Mandatory-GFSTEList"))
            ),
            trailing=b"".join(item.raw for item in fields.values() if item.tag in (0x87, 0xA8, 0xA9)),
        )


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise ProfilePackageError("the profile type is not UTF-8") from error


def _service(tag: int) -> str:
    place = der.place_of(tag)
    return SERVICES[place] if place < len(SERVICES) else f"service {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinConfiguration:
    """A PIN or administrative key: 8 octets, its attempts, and the PUK that unblocks it."""

    key_reference: int
    value: bytes = field(repr=False)
    unblocking_reference: int | None = None
    attributes: int = _PIN_ATTRIBUTES
    attempts: int = _PIN_ATTEMPTS
    """High nibble: the maximum of attempts; low nibble: the remaining attempts."""

    @property
    def enabled(self) -> bool:
        """Tell whether the PIN is enabled (bit 1 of its attributes)."""
        return bool(self.attributes & 0x01)

    def encode(self) -> bytes:
        """Return the entry."""
        unblocking = self.unblocking_reference
        return tlv.encode(
            0x30,
            tlv.encode(0x80, der.encode_integer(self.key_reference)),
            tlv.encode(0x81, self.value),
            der.optional(0x82, None if unblocking is None else der.encode_integer(unblocking)),
            der.defaulted(0x83, der.encode_integer(self.attributes), der.encode_integer(_PIN_ATTRIBUTES)),
            der.defaulted(0x84, der.encode_integer(self.attempts), der.encode_integer(_PIN_ATTEMPTS)),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode an entry's value."""
        fields = tlv.children(value)
        return cls(
            key_reference=der.decode_integer(der.required(fields, 0x80, "keyReference")),
            value=der.sized(der.required(fields, 0x81, "pinValue"), 8, "pinValue"),
            unblocking_reference=der.decode_integer(fields[0x82].value) if 0x82 in fields else None,
            attributes=der.decode_integer(fields[0x83].value) if 0x83 in fields else _PIN_ATTRIBUTES,
            attempts=der.decode_integer(fields[0x84].value) if 0x84 in fields else _PIN_ATTEMPTS,
        )


@dataclass(frozen=True, slots=True)
class PinCodes:
    """The PINs of the directory that was made last, or the path of the directory whose PINs it shares."""

    header: ElementHeader
    pins: tuple[PinConfiguration, ...] = ()
    shared_with: bytes | None = None

    def encode(self) -> bytes:
        """Return the element."""
        if self.shared_with is not None:
            choice = tlv.encode(0x81, self.shared_with)
        else:
            choice = tlv.encode(0xA0, *(pin.encode() for pin in self.pins))
        return encode_element(ElementKind.PIN_CODES, self.header.encode(), tlv.encode(0xA1, choice))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value."""
        fields = tlv.children(value)
        header = ElementHeader.decode(der.required(fields, 0xA0, "pin-Header"))
        choice, _ = tlv.read(der.required(fields, 0xA1, "pinCodes"))
        if choice.tag == 0x81:
            return cls(header, shared_with=choice.value)
        return cls(header, tuple(PinConfiguration.decode(entry) for entry in _entries(choice.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PukConfiguration:
    """A code that unblocks PINs."""

    key_reference: int
    value: bytes = field(repr=False)
    attempts: int = _PUK_ATTEMPTS

    def encode(self) -> bytes:
        """Return the entry."""
        return tlv.encode(
            0x30,
            tlv.encode(0x80, der.encode_integer(self.key_reference)),
            tlv.encode(0x81, self.value),
            der.defaulted(0x82, der.encode_integer(self.attempts), der.encode_integer(_PUK_ATTEMPTS)),
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode an entry's value."""
        fields = tlv.children(value)
        return cls(
            key_reference=der.decode_integer(der.required(fields, 0x80, "keyReference")),
            value=der.sized(der.required(fields, 0x81, "pukValue"), 8, "pukValue"),
            attempts=der.decode_integer(fields[0x82].value) if 0x82 in fields else _PUK_ATTEMPTS,
        )


@dataclass(frozen=True, slots=True)
class PukCodes:
    """The profile's PUKs."""

    header: ElementHeader
    puks: tuple[PukConfiguration, ...]

    def encode(self) -> bytes:
        """Return the element."""
        return encode_element(
            ElementKind.PUK_CODES, self.header.encode(), tlv.encode(0xA1, *(puk.encode() for puk in self.puks))
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value."""
        fields = tlv.children(value)
        return cls(
            ElementHeader.decode(der.required(fields, 0xA0, "puk-Header")),
            tuple(PukConfiguration.decode(entry) for entry in _entries(der.required(fields, 0xA1, "pukCodes"))),
        )


def _entries(value: bytes) -> list[bytes]:
    entries = [item.value for item in tlv.walk(value) if item.tag == 0x30]
    if not 1 <= len(entries) <= _CODES_MAX:
        raise ProfilePackageError(f"a list of codes has 1 to {_CODES_MAX} entries, not {len(entries)}")
    return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmParameter:
    """The algorithm and its key: 1 is Milenage, 2 TUAK, 3 the XOR algorithm of test profiles."""

    algorithm_id: int
    options: bytes
    key: bytes = field(repr=False)
    opc: bytes = field(repr=False)
    rotation: bytes = DEFAULT_ROTATION
    xoring: bytes = DEFAULT_XORING
    trailing: bytes = b""
    """The authentication counter and TUAK's iterations, as received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaParameter:
    """The keys and sequence numbers of the application that was made last.

    Sequence numbers are SEQ without IND, six octets each (TS 33.102, annex C). ``algorithm`` is None if the
    application shares the keys of another application; ``mapping`` then has the mappingParameter as received.
    """

    header: ElementHeader
    algorithm: AlgorithmParameter | None
    mapping: bytes | None = None
    sqn_options: bytes = SQN_WRAP_AROUND_PROTECTION
    sqn_delta: bytes = _SQN_DELTA
    sqn_age_limit: bytes = _SQN_DELTA
    sqn_init: tuple[bytes, ...] = (_ZERO_SQN,) * SQN_INDICES

    def encode(self) -> bytes:
        """Return the element."""
        init = b""
        if any(sqn != _ZERO_SQN for sqn in self.sqn_init):
            init = tlv.encode(0xA5, *(tlv.encode(0x04, sqn) for sqn in self.sqn_init))
        return encode_element(
            ElementKind.AKA_PARAMETER,
            self.header.encode(),
            tlv.encode(0xA1, self._encode_configuration()),
            der.defaulted(0x82, self.sqn_options, SQN_WRAP_AROUND_PROTECTION),
            der.defaulted(0x83, self.sqn_delta, _SQN_DELTA),
            der.defaulted(0x84, self.sqn_age_limit, _SQN_DELTA),
            init,
        )

    def _encode_configuration(self) -> bytes:
        algorithm = self.algorithm
        if algorithm is None:
            return tlv.encode(0xA0, self.mapping or b"")
        return tlv.encode(
            0xA1,
            tlv.encode(0x80, der.encode_integer(algorithm.algorithm_id)),
            tlv.encode(0x81, algorithm.options),
            tlv.encode(0x82, algorithm.key),
            tlv.encode(0x83, algorithm.opc),
            der.defaulted(0x84, algorithm.rotation, DEFAULT_ROTATION),
            der.defaulted(0x85, algorithm.xoring, DEFAULT_XORING),
            algorithm.trailing,
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Decode the element's value.

        Raises:
            ProfilePackageError: a field is missing or malformed.
        """
        fields = tlv.children(value)
        choice, _ = tlv.read(der.required(fields, 0xA1, "algoConfiguration"))

        def six_octets(tag: int, default: bytes) -> bytes:
            return der.sized(fields[tag].value, 6, f"field {tag:X}") if tag in fields else default

        init: tuple[bytes, ...] = (_ZERO_SQN,) * SQN_INDICES
        if 0xA5 in fields:
            init = tuple(der.sized(item.value, 6, "sqnInit") for item in tlv.walk(fields[0xA5].value))
            if len(init) != SQN_INDICES:
                raise ProfilePackageError(f"sqnInit has {SQN_INDICES} entries, not {len(init)}")
        return cls(
            header=ElementHeader.decode(der.required(fields, 0xA0, "aka-header")),
            algorithm=_algorithm(choice.value) if choice.tag == 0xA1 else None,
            mapping=choice.value if choice.tag == 0xA0 else None,
            sqn_options=fields[0x82].value if 0x82 in fields else SQN_WRAP_AROUND_PROTECTION,
            sqn_delta=six_octets(0x83, _SQN_DELTA),
            sqn_age_limit=six_octets(0x84, _SQN_DELTA),
            sqn_init=init,
        )


def uses_test_algorithm(package: tuple[ProfileElement, ...]) -> bool:
    """Tell whether an application of a package uses the test algorithm (TS 34.108, 8.1.2).

    Raises:
        ProfilePackageError: an AKA parameter element is malformed.
    """
    found = (AkaParameter.decode(each.value) for each in package if each.kind is ElementKind.AKA_PARAMETER)
    return any(aka.algorithm is not None and aka.algorithm.algorithm_id == ALGORITHM_USIM_TEST for aka in found)


def _algorithm(value: bytes) -> AlgorithmParameter:
    fields = tlv.children(value)
    return AlgorithmParameter(
        algorithm_id=der.decode_integer(der.required(fields, 0x80, "algorithmID")),
        options=der.sized(der.required(fields, 0x81, "algorithmOptions"), 1, "algorithmOptions"),
        key=der.required(fields, 0x82, "key"),
        opc=der.required(fields, 0x83, "opc"),
        rotation=fields[0x84].value if 0x84 in fields else DEFAULT_ROTATION,
        xoring=fields[0x85].value if 0x85 in fields else DEFAULT_XORING,
        trailing=b"".join(item.raw for item in fields.values() if item.tag in (0x86, 0x87)),
    )


def encode_end(identification: int) -> bytes:
    """Return the last element of a package."""
    return encode_element(ElementKind.END, ElementHeader(identification).encode())
