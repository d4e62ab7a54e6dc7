"""The card in the lab phone: a software eUICC in a directory. The phone uses it through APDUs only."""

from pathlib import Path
from types import TracebackType
from typing import Self

from kswifi.euicc.card import Euicc
from kswifi.euicc.es10.credentials import CardCredentials
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.numbers import Eid
from kswifi.lab.phone.sim import SimCard


class Card(SimCard):
    """An open card. While it is open, no other process can open it; close it, or use ``with``."""

    def __init__(self, euicc: Euicc) -> None:
        super().__init__(euicc)
        self._euicc = euicc

    @classmethod
    def create(cls, directory: Path, eid: Eid, credentials: CardCredentials | None = None) -> Self:
        """Create an empty card in a directory.

        Args:
            directory: created if it does not exist.
            eid: the card's number.
            credentials: certificates and keys with which it can download profiles from servers; None for a card
                that cannot.

        Raises:
            CardExistsError: the directory has a card; a card is never overwritten.
            CardBusyError: another process uses the directory.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(Euicc.create(DirectoryStorage.open(directory), eid, credentials=credentials))

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the card of a directory. As at power-on, no logical channel is open and no PIN is verified.

        Raises:
            CardMissingError: there is no card.
            CardDamagedError: its file is damaged; it is not repaired by guessing.
            CardBusyError: another process has it open.
        """
        return cls(Euicc.open(DirectoryStorage.open(directory)))

    def close(self) -> None:
        """Close the card, so that another process can open it."""
        self._euicc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
