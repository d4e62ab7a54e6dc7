"""Open the card of a directory, or make one there with the certificates of a PKI folder."""

from pathlib import Path
from typing import Final

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import CardMissingError
from kswifi.euicc.es10.credentials import credentials_of_pki
from kswifi.euicc.storage import DirectoryStorage
from kswifi.rsp.errors import PkiError
from kswifi.rsp.pki import MAX_PKI_FILES, Pki, load_pki

_FILE_MAX_OCTETS: Final = 64 * 1024


def read_pki(folder: Path) -> Pki:
    """Read a PKI folder with the layout of the GSMA's test certificates (SGP.26).

    Raises:
        PkiError: the folder does not exist or has too many files, or a certificate or key in it is malformed.
    """
    if not folder.is_dir():
        raise PkiError("there is no such folder", folder=str(folder))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if len(paths) > MAX_PKI_FILES:
        raise PkiError("there are too many files", files=len(paths))
    return load_pki(
        {
            str(path.relative_to(folder)): path.read_bytes()
            for path in paths
            if path.stat().st_size <= _FILE_MAX_OCTETS
        }
    )


def open_or_make_card(directory: Path, pki_folder: Path | None) -> Euicc:
    """Open the card of a directory; if there is none and a PKI is given, make one with its certificates.

    Raises:
        CardMissingError: there is no card and no PKI was given.
        CardBusyError, CardDamagedError: the card cannot be used.
        PkiError, CardCredentialsError: the PKI lacks what a card needs.
    """
    if pki_folder is None or (directory / "card.bin").exists():
        if not directory.exists():
            raise CardMissingError("there is no card; --pki makes one", directory=str(directory))
        return Euicc.open(DirectoryStorage.open(directory))
    credentials = credentials_of_pki(read_pki(pki_folder))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Euicc.create(DirectoryStorage.open(directory), credentials.eid, credentials=credentials)
