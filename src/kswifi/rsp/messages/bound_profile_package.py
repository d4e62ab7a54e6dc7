"""The bound profile package and the commands within it (SGP.22, 2.5.4 and 5.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from kswifi.rsp import tlv
from kswifi.rsp.bsp import KEY_OCTETS, KEY_TYPE_AES, BspKeys
from kswifi.rsp.errors import RspDecodeError
from kswifi.rsp.fields import ONE_TIME_KEY, SIGNATURE, Fields, encode_integer

TAG_BOUND_PROFILE_PACKAGE: Final = 0xBF36
TAG_INITIALISE_SECURE_CHANNEL: Final = 0xBF23
TAG_CONFIGURE_ISDP: Final = 0xBF24
TAG_REPLACE_SESSION_KEYS: Final = 0xBF26
TAG_FIRST_87: Final = 0xA0
TAG_88: Final = 0xA1
TAG_SECOND_87: Final = 0xA2
TAG_86: Final = 0xA3
INSTALL_BOUND_PROFILE_PACKAGE: Final = 1

CONFIGURE_ISDP: Final = tlv.encode(TAG_CONFIGURE_ISDP)


@dataclass(frozen=True, slots=True)
class InitialiseSecureChannel:
    """The first command, not encrypted but signed. Both sides derive the session keys from it."""

    raw: bytes
    remote_operation: int
    transaction_id: bytes
    key_type: int
    key_length: int
    host_id: bytes
    smdp_otpk: bytes
    signature: bytes
    _signed_head: bytes

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Decode BF23."""
        fields = Fields.of(octets, TAG_INITIALISE_SECURE_CHANNEL, "InitialiseSecureChannelRequest")
        signed = [fields.required(tag) for tag in (0x82, 0x80, 0xA6, ONE_TIME_KEY)]
        head = b"".join(item.raw for item in signed)
        values = Fields(head, "InitialiseSecureChannelRequest")
        template = values.inside(0xA6)
        return cls(
            octets,
            values.integer(0x82),
            values.octets(0x80, 1, 16),
            template.octets(0x80, 1, 1)[0],
            template.octets(0x81, 1, 1)[0],
            template.octets(0x84, 1, 16),
            values.octets(ONE_TIME_KEY),
            fields.octets(SIGNATURE),
            head,
        )

    @classmethod
    def build(cls, signed_head: bytes, signature: bytes) -> Self:
        """Encode BF23 from the octets of ``secure_channel_head`` and their signature."""
        return cls.decode(tlv.encode(TAG_INITIALISE_SECURE_CHANNEL, signed_head, tlv.encode(SIGNATURE, signature)))

    def signed_octets(self, euicc_otpk: bytes) -> bytes:
        """Return the octets that the signature covers: these objects as received, then the card's one-time key."""
        return self._signed_head + tlv.encode(ONE_TIME_KEY, euicc_otpk)


def secure_channel_head(*, transaction_id: bytes, host_id: bytes, smdp_otpk: bytes) -> bytes:
    """Return remoteOpId || transactionId || controlRefTemplate || smdpOtpk (SGP.22, 5.5.1)."""
    template = (
        tlv.encode(0x80, bytes([KEY_TYPE_AES])) + tlv.encode(0x81, bytes([KEY_OCTETS])) + tlv.encode(0x84, host_id)
    )
    return b"".join(
        (
            encode_integer(0x82, INSTALL_BOUND_PROFILE_PACKAGE),
            tlv.encode(0x80, transaction_id),
            tlv.encode(0xA6, template),
            tlv.encode(ONE_TIME_KEY, smdp_otpk),
        )
    )


def encode_replace_session_keys(keys: BspKeys) -> bytes:
    """Encode BF26: the profile protection keys (SGP.22, 5.5.4)."""
    return tlv.encode(
        TAG_REPLACE_SESSION_KEYS,
        tlv.encode(0x80, keys.initial_mac_chaining_value),
        tlv.encode(0x81, keys.s_enc),
        tlv.encode(0x82, keys.s_mac),
    )


def decode_replace_session_keys(octets: bytes) -> BspKeys:
    """Decode BF26."""
    fields = Fields.of(octets, TAG_REPLACE_SESSION_KEYS, "ReplaceSessionKeysRequest")
    return BspKeys(*(fields.octets(tag, KEY_OCTETS, KEY_OCTETS) for tag in (0x80, 0x81, 0x82)))


def encode_bound_profile_package(
    initialise: InitialiseSecureChannel,
    configure: list[bytes],
    metadata: list[bytes],
    replace_keys: list[bytes],
    elements: list[bytes],
) -> bytes:
    """Encode BF36 with protected segments; without ``replace_keys``, A2 is omitted."""
    return tlv.encode(
        TAG_BOUND_PROFILE_PACKAGE,
        initialise.raw,
        tlv.encode(TAG_FIRST_87, *configure),
        tlv.encode(TAG_88, *metadata),
        tlv.encode(TAG_SECOND_87, *replace_keys) if replace_keys else b"",
        tlv.encode(TAG_86, *elements),
    )


def units(package: bytes) -> Iterator[bytes]:
    """Yield the units in which an LPA sends a package to a card, one STORE DATA command each (SGP.22, 2.5.5).

    The units are: the header of BF36 with BF23; A0; the header of A1; each 88 segment; A2, if there is one;
    the header of A3; each 86 segment.

    Raises:
        RspDecodeError: it is not a bound profile package.
    """
    try:
        tag, start, length = tlv.read_header(package)
        if tag != TAG_BOUND_PROFILE_PACKAGE or start + length != len(package):
            raise RspDecodeError("this is no bound profile package", tag=f"{tag:X}")
        head, *rest = tlv.walk(package[start:])
        yield package[:start] + head.raw
        for item in rest:
            if item.tag in (TAG_88, TAG_86):
                yield item.raw[: len(item.raw) - len(item.value)]
                yield from (segment.raw for segment in tlv.walk(item.value))
            else:
                yield item.raw
    except (tlv.TlvError, ValueError) as error:
        raise RspDecodeError(f"this is no bound profile package: {error}") from None
