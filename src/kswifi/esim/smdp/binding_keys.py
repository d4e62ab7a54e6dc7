"""The one-time keys of one binding, and their stored form: a card's retry with the same key needs them again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from kswifi.rsp.bsp import KEY_OCTETS, BspKeys, new_profile_protection_keys
from kswifi.rsp.curves import Curve, new_key

_SCALAR_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class BindingKeys:
    """otSK.DP.ECKA and the profile protection keys; None if the session keys also protect the profile."""

    one_time_key: ec.EllipticCurvePrivateKey = field(repr=False)
    protection_keys: BspKeys | None = field(repr=False)


def new(curve: Curve, random_bytes: Callable[[int], bytes] | None) -> BindingKeys:
    """Return new keys; without ``random_bytes`` there are no profile protection keys."""
    protection = None if random_bytes is None else new_profile_protection_keys(random_bytes)
    return BindingKeys(new_key(curve), protection)


def encode(keys: BindingKeys) -> bytes:
    """Return the keys as octets; the caller must encrypt them before storing."""
    scalar = keys.one_time_key.private_numbers().private_value.to_bytes(_SCALAR_OCTETS, "big")
    if keys.protection_keys is None:
        return scalar
    protection = keys.protection_keys
    return scalar + protection.initial_mac_chaining_value + protection.s_enc + protection.s_mac


def decode(curve: Curve, octets: bytes) -> BindingKeys:
    """Return the keys that ``encode`` encoded."""
    one_time_key = ec.derive_private_key(int.from_bytes(octets[:_SCALAR_OCTETS], "big"), curve.parameters)
    rest = octets[_SCALAR_OCTETS:]
    parts = [rest[at : at + KEY_OCTETS] for at in range(0, len(rest), KEY_OCTETS)]
    return BindingKeys(one_time_key, BspKeys(*parts) if parts else None)
