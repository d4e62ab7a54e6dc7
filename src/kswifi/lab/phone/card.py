"""The card in the lab phone: a software eUICC in a directory, reached by APDUs alone."""

from pathlib import Path
from types import TracebackType
from typing import Self

from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import CardCredentials
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.numbers import Eid
from kswifi.lab.phone.sim import SimCard


class Card(SimCard):
    """A card that this process alone has in its hands: close it (or use ``with``) to let another take it."""

    def __init__(self, euicc: Euicc) -> None:
        super().__init__(euicc)
        self._euicc = euicc

    @classmethod
    def create(cls, directory: Path, eid: Eid, credentials: CardCredentials | None = None) -> Self:
        """Make an empty card in a directory that has none; with credentials it takes profiles from servers.

        Raises:
            CardExistsError: there is one already; a card is never overwritten.
            CardBusyError: another process holds the directory.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(Euicc.create(DirectoryStorage.open(directory), eid, credentials=credentials))

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Take the card of a directory in hand; its channels and verified PINs start afresh (a power-on).

        Raises:
            CardMissingError: there is no card.
            CardDamagedError: its state is not what was written; nothing is repaired by guessing.
            CardBusyError: another process holds it.
        """
        return cls(Euicc.open(DirectoryStorage.open(directory)))

    def close(self) -> None:
        """Let the card go."""
        self._euicc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
