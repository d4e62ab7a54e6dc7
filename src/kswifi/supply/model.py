"""The values of supply that need neither a provider nor a database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the smallest unit of its currency: kobo for NGN, cents for USD.

    ``currency`` is the ISO 4217 code in upper case. Amounts of different currencies are never compared or added.
    """

    amount_minor: int
    currency: str
