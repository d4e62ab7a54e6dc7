"""Read single values of a provider's answer. Each function returns None for a value of a wrong type or size."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final
from urllib.parse import quote

from kswifi.kernel.clock import require_aware
from kswifi.supply.model import Money
from kswifi.supply.ports import Installation

LONGEST_TEXT: Final = 256
_LARGEST: Final = 10**18
_MOST_DIGITS: Final = 40
_NUMBER: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,20})?", re.ASCII)
_SCHEME: Final = "LPA:"


def text(value: Any, longest: int = LONGEST_TEXT) -> str | None:
    """Return a text that is not empty and has at most ``longest`` characters; no other type."""
    if not isinstance(value, str):
        return None
    found = value.strip()
    return found if 0 < len(found) <= longest and found.isprintable() else None


def words(value: Any) -> str | None:
    """Return text for people, shortened; None for a value that is no text."""
    if not isinstance(value, str):
        return None
    return "".join(it if it.isprintable() else " " for it in value)[:200].strip() or None


def whole(value: Any) -> int | None:
    """Return an integer from 0 to 10^18, given as a number or as digits."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST else None
    if isinstance(value, Decimal):
        found = _decimal(value)
        return int(found) if found is not None and found == found.to_integral_value() else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None


def minor_units(value: Any, per_unit: int | Decimal, *, up: bool) -> int | None:
    """Return an amount in minor units.

    Args:
        value: a number, or a number as text.
        per_unit: the minor units in one unit of ``value``: 100 for naira or dollars, 1/100 for 1/10,000 dollar.
        up: round up, as for prices; otherwise down, as for balances.
    """
    found = _decimal(value)
    if found is None:
        return None
    return int((found * per_unit).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def money(value: Any, currency: Any, per_unit: int | Decimal, *, up: bool) -> Money | None:
    """Return an amount with its currency, which has to be three capital letters."""
    amount, code = minor_units(value, per_unit, up=up), text(currency, 3)
    if amount is None or code is None or len(code) != 3 or not (code.isascii() and code.isupper()):
        return None
    return Money(amount, code)


def instant(value: Any) -> datetime | None:
    """Return an instant from ISO 8601 text with a time zone (``Z``, ``+00:00`` or ``+0000``)."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        return require_aware(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None


def rfc3339(at: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC, for requests."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def within(at: datetime, start: datetime, before: timedelta, after: timedelta) -> bool:
    """Return whether ``at`` is at most ``before`` earlier and at most ``after`` later than ``start``."""
    return start - before <= at <= start + after


def country(value: Any) -> str | None:
    """Return an ISO 3166-1 alpha-2 code in upper case."""
    return (
        value.upper()
        if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()
        else None
    )


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; no other values, and an empty list for what is no list."""
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []


def values_of(value: Any) -> list[Any]:
    """Return a list as it is, and an empty list for what is no list."""
    return value if isinstance(value, list) else []


def path_part(value: str) -> str:
    """Return one part of a path, escaped."""
    return quote(value, safe="")


def installation(address: Any, matching_id: Any, **more: Any) -> Installation | None:
    """Return the installation data of a profile from its SM-DP+ address and matching id (SGP.22, 4.1).

    A scheme in front of the address is removed: some samples have one, and an activation code has none.
    """
    host, token = text(address), text(matching_id)
    if host is None or token is None:
        return None
    host = host.removeprefix("https://").removeprefix("http://").rstrip("/")
    if not host or any(it in "$/ " for it in host) or any(it in "$ " for it in token):
        return None
    return Installation(smdp_address=host, activation_code=f"LPA:1${host}${token}", **more)


def installation_of(activation_code: Any, **more: Any) -> Installation | None:
    """Return the installation data of a profile from its activation code, ``LPA:1$address$matching id``."""
    code = text(activation_code)
    if code is None:
        return None
    parts = code.removeprefix(_SCHEME).split("$")
    return installation(parts[1], parts[2], **more) if len(parts) >= 3 and parts[0] == "1" else None


def dedupe_key(*parts: object) -> str:
    """Return a key of 64 characters that is equal for equal parts."""
    return hashlib.sha256("\x1f".join(str(it) for it in parts).encode()).hexdigest()


def _decimal(value: Any) -> Decimal | None:
    """Return a number from 0 to 10^18; a huge exponent is refused before it costs memory."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
        return None
    found = Decimal(value)
    if not found.is_finite() or found < 0 or found.adjusted() > 18 or found > _LARGEST:
        return None
    return found if len(found.as_tuple().digits) <= _MOST_DIGITS else None
