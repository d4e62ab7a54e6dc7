"""Choose the content coding of a response from the client's Accept-Encoding (RFC 9110, 12.5.3)."""

from collections.abc import Sequence
from typing import Final

IDENTITY: Final = "identity"


def choose_coding(accepted: str | None, offered: Sequence[str]) -> str | None:
    """Return the coding with the highest weight; among equals the first offered, ``identity`` last.

    Args:
        accepted: the Accept-Encoding field, its lines joined by commas; None if the request has none.
        offered: the codings that the server has, the best first, without ``identity``.

    Returns:
        None if the client refuses every coding, including ``identity``.
    """
    weights = _weights(accepted or "")
    anything = weights.get("*", 0.0)
    best, best_weight = None, 0.0
    for coding in offered:
        weight = weights.get(coding, anything)
        if weight > best_weight:
            best, best_weight = coding, weight
    # An identity that the field does not name is acceptable, but named codings are preferred. "*;q=0" refuses it.
    identity = weights.get(IDENTITY, weights.get("*"))
    if identity is None:
        return best or IDENTITY
    return IDENTITY if identity > best_weight else best


def _weights(accepted: str) -> dict[str, float]:
    """Return the weight of each coding that the field names; malformed members are ignored."""
    weights: dict[str, float] = {}
    for member in accepted.lower().split(","):
        coding, parted, parameter = (part.strip() for part in member.partition(";"))
        weight = _quality(parameter) if parted else 1.0
        if coding and weight is not None:
            weights["gzip" if coding == "x-gzip" else coding] = weight
    return weights


def _quality(parameter: str) -> float | None:
    """Parse a ``q`` parameter from 0 to 1; None for anything else."""
    name, _, value = (part.strip() for part in parameter.partition("="))
    try:
        weight = float(value)
    except ValueError:
        return None
    return weight if name == "q" and 0.0 <= weight <= 1.0 else None
