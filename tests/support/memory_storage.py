"""A card's storage in memory."""

from kswifi.euicc.errors import CardExistsError, CardMissingError


class MemoryStorage:
    """Keeps the state of a card as long as the object lives."""

    def __init__(self) -> None:
        self._state: bytes | None = None

    def create(self, state: bytes) -> None:
        """Keep a new card's state."""
        if self._state is not None:
            raise CardExistsError("there is a card already")
        self._state = state

    def load(self) -> bytes:
        """Return the state."""
        if self._state is None:
            raise CardMissingError("there is no card")
        return self._state

    def save(self, state: bytes) -> None:
        """Replace the state."""
        self._state = state

    def close(self) -> None:
        """Do nothing: nothing is held."""
