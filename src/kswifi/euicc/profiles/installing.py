"""The last step of every installation: build a profile from a checked package for this card."""

from typing import Final

from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.profiles.loader import build_profile_state
from kswifi.euicc.state import CardState, Profile
from kswifi.rsp.saip.response import PeStatus

FIRST_ISDP: Final = 0x10  # SGP.02, 2.2.3: lower numbers are not for profiles
_LAST_ISDP: Final = 0xFFFF
_ISDP_AID_PREFIX: Final = bytes.fromhex("A0000005591010FFFFFFFF8900")


def new_profile(
    state: CardState, package: bytes, *, metadata: bytes | None = None, issuer_key_id: bytes = b""
) -> Profile:
    """Return the profile of a package if the card can install it. The state is not changed.

    Raises:
        ProfileRefusedError: malformed, unsupported, already installed, or no memory.
    """
    number = state.next_isdp
    aid = _ISDP_AID_PREFIX + number.to_bytes(3, "big")[1:] + b"\x00"
    profile = build_profile_state(package, aid, metadata=metadata, issuer_key_id=issuer_key_id)
    if any(installed.iccid == profile.iccid for installed in state.profiles):
        raise ProfileRefusedError("the card has this profile already", reason="already_installed")
    octets = profile.octets()
    if octets > state.free_octets() or number > _LAST_ISDP:
        raise ProfileRefusedError(
            "the card has no room for this profile",
            reason="no_memory",
            status=PeStatus.NOT_ENOUGH_MEMORY,
            needed_octets=octets,
            free_octets=state.free_octets(),
        )
    return profile
