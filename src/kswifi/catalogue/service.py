"""The catalogue: read once at start from a TOML file, checked as a whole."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kswifi.catalogue.errors import CATALOGUE_INVALID, UNKNOWN_OFFER
from kswifi.catalogue.model import Offer
from kswifi.kernel.quantities import Kobo, Octets

OFFERS_LIMIT: Final = 50


class _OfferEntry(BaseModel):
    """One [[offer]] of the file: exact types, and no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    title: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    allowance_octets: Annotated[int, Field(ge=1_000_000, le=10**13)] | None = None
    price_kobo: Annotated[int, Field(ge=0, le=10**10)]
    valid_days: Annotated[int, Field(ge=1, le=366)]


class _OffersFile(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    offer: Annotated[list[_OfferEntry], Field(min_length=1, max_length=OFFERS_LIMIT)]


class Catalogue:
    """The offers, in the operator's order."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._offers = tuple(offers)
        self._by_id = {offer.id: offer for offer in self._offers}
        self._by_size = {offer.allowance_octets: offer for offer in self._offers}
        if not len(self._offers) == len(self._by_id) == len(self._by_size):
            raise CATALOGUE_INVALID("two offers have the same id or the same allowance")

    @classmethod
    def load(cls, path: Path | None = None) -> "Catalogue":
        """Read the operator's offers file, or the default one of KSWiFi.

        Raises:
            CATALOGUE_INVALID: it cannot be read, is not TOML, or says something that is not allowed.
        """
        source = path or files("kswifi.catalogue").joinpath("offers.toml")
        try:
            parsed = _OffersFile.model_validate(tomllib.loads(source.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CATALOGUE_INVALID(f"{source}: {error}", path=str(source)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise CATALOGUE_INVALID(f"{source}: {place}: {first['msg']}", path=str(source), place=place) from error
        return cls(
            Offer(
                id=entry.id,
                title=entry.title,
                allowance_octets=None if entry.allowance_octets is None else Octets(entry.allowance_octets),
                price_kobo=Kobo(entry.price_kobo),
                valid_days=entry.valid_days,
            )
            for entry in parsed.offer
        )

    def offers(self) -> tuple[Offer, ...]:
        """Return all offers, in the operator's order."""
        return self._offers

    def offer(self, offer_id: str) -> Offer:
        """Return the offer with this id.

        Raises:
            UNKNOWN_OFFER: there is none.
        """
        try:
            return self._by_id[offer_id]
        except KeyError:
            raise UNKNOWN_OFFER(f"there is no offer {offer_id!r}", offer_id=offer_id) from None

    def offer_of_size(self, octets: int | None) -> Offer:
        """Return the offer with this allowance; None is the uncapped one.

        Raises:
            UNKNOWN_OFFER: there is none.
        """
        try:
            return self._by_size[None if octets is None else Octets(octets)]
        except KeyError:
            raise UNKNOWN_OFFER(f"there is no offer of {octets} octets", octets=octets) from None
