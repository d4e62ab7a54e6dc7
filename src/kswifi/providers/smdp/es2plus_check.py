"""A check that an external SM-DP+ accepts our calls, by a call that changes nothing.

ES2+ has no function for this. releaseProfile for a profile that does not exist is closest: a server that accepts us
refuses the profile (8.2.1), one that does not accept us refuses the caller.
"""

from typing import Final
from uuid import uuid4

from kswifi.esim.model import NumberRange
from kswifi.outbox.results import Unknown
from kswifi.providers.smdp.es2plus_call import Answered, Es2PlusPeer

_UNASSIGNED_ICCID: Final = str(NumberRange().iccid(0))
"""The prefix of an ICCID that no operator has; serial numbers begin with 1."""
_PROFILE: Final = "8.2.1/"


async def check_peer(peer: Es2PlusPeer) -> tuple[bool, str]:
    """Return whether the server accepts our calls, and its answer as text."""
    result = await peer.call("releaseProfile", f"check-{uuid4()}", {"iccid": _UNASSIGNED_ICCID.ljust(20, "F")})
    if isinstance(result, Unknown):
        return False, f"no answer that says anything: {result.reason}"
    if isinstance(result, Answered):
        return False, "it says that it released a profile that does not exist: it is no SM-DP+"
    if result.codes.startswith(_PROFILE):
        return True, "it knows us"
    return False, f"it refuses us: {result.reason}"
