"""Whether another's SM-DP+ knows us: asked by a call that changes nothing.

ES2+ has no function that only asks. releaseProfile of a profile that exists nowhere comes nearest: a server that
knows us refuses it for the profile (8.2.1), one that does not refuses us.
"""

from typing import Final
from uuid import uuid4

from kswifi.esim.model import NumberRange
from kswifi.outbox.results import Unknown
from kswifi.providers.smdp.es2plus_call import Answered, Es2PlusPeer

_NOBODYS: Final = str(NumberRange().iccid(0))
"""Serial numbers begin with 1, under a prefix that no operator has."""
_PROFILE: Final = "8.2.1/"


async def check_peer(peer: Es2PlusPeer) -> tuple[bool, str]:
    """Return whether it knows us, and what it said."""
    result = await peer.call("releaseProfile", f"check-{uuid4()}", {"iccid": _NOBODYS.ljust(20, "F")})
    if isinstance(result, Unknown):
        return False, f"no answer that says anything: {result.reason}"
    if isinstance(result, Answered):
        return False, "it says that it released a profile that does not exist: it is no SM-DP+"
    if result.codes.startswith(_PROFILE):
        return True, "it knows us"
    return False, f"it refuses us: {result.reason}"
