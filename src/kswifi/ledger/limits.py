"""The day limit of a wallet: how much it may spend in each day, and what of it is left.

A day is 86,400 seconds from an instant that the control plane names. Only octets that are committed count. What
open reservations hold is not granted a second time, so grants never pass the limit together.
"""

from hashlib import blake2b
from typing import Final

from kswifi.ledger.state import DayLimit, LedgerState, Wallet

DAY_SECONDS: Final = 86_400
JITTER_SECONDS: Final = 600
"""Over how long the ends of holds are spread: the lines of a network do not come back in one second."""


def jitter_seconds(wallet_id: str) -> int:
    """Return by how much the hold of a wallet ends later than its day or pause; always the same for a wallet."""
    return int.from_bytes(blake2b(wallet_id.encode(), digest_size=4).digest(), "big") % JITTER_SECONDS


def day_of(limit: DayLimit, at: int) -> int:
    """Return the instant at which the day of an instant began; before the first day, that of the first."""
    return limit.day_at + max(0, at - limit.day_at) // DAY_SECONDS * DAY_SECONDS


def used_octets(limit: DayLimit, at: int) -> int:
    """Return the octets that were committed in the day of an instant."""
    return limit.used if day_of(limit, at) == limit.day_at else 0


def is_lifted(limit: DayLimit, at: int) -> bool:
    """Return whether the limit was lifted for the day of an instant."""
    return limit.lifted and day_of(limit, at) == limit.day_at


def is_reached(limit: DayLimit, at: int) -> bool:
    """Return whether the limit forbids more use in the day of an instant."""
    return not is_lifted(limit, at) and used_octets(limit, at) >= limit.octets


def room_octets(state: LedgerState, wallet: Wallet, at: int) -> int | None:
    """Return how many octets the limit leaves for further grants, at least 0; None without a limit."""
    limit = state.day_limits.get(wallet.wallet_id)
    if limit is None or is_lifted(limit, at):
        return None
    held = sum(state.reservations[it].reserved for it in wallet.reservation_ids)
    return max(0, limit.octets - used_octets(limit, at) - held)


def hold_ends_at(limit: DayLimit, at: int) -> int:
    """Return when the hold of a limit that is reached now ends: after the day, spread by the wallet's jitter."""
    return day_of(limit, at) + DAY_SECONDS + jitter_seconds(limit.wallet_id)
