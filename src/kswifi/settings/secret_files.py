"""Read secrets from files: KSWIFI_..._FILE variables and the credentials of systemd.

A secret in an environment variable is visible in /proc, and child processes inherit it. A file is not.
Every setting that is a secret can therefore be given as a file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from kswifi.kernel.errors import Refusal
from kswifi.settings.described import PREFIX, is_secret

FILE_SUFFIX: Final = "_FILE"
CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
"""Set by systemd (LoadCredential=kswifi:DIRECTORY): the folder with one file for each credential."""
LARGEST_SECRET_OCTETS: Final = 16_384

SECRET_FILE_REFUSED = Refusal("secret_file_refused", "A file of a secret cannot be used.")


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret that was read from a file."""

    value: SecretStr
    path: Path


def secret_settings(fields: Mapping[str, FieldInfo]) -> list[str]:
    """Return the names of the settings that are secrets."""
    return [name for name, field in fields.items() if is_secret(field)]


def read_secret_files(secrets: Iterable[str], environment: Mapping[str, str]) -> dict[str, SecretFile]:
    """Return the secrets that come from files, by the name of the setting.

    ``KSWIFI_NAME_FILE`` names the file. Otherwise the systemd credential ``kswifi_name`` counts, where systemd has
    passed one. A newline at the end of a file does not belong to the secret.

    Raises:
        SECRET_FILE_REFUSED: a secret is set twice, or its file cannot be read, is empty or is too large.
    """
    found: dict[str, SecretFile] = {}
    for name in secrets:
        variable = PREFIX + name.upper()
        path = _file_of(name, environment)
        if path is None:
            continue
        if variable in environment:
            raise SECRET_FILE_REFUSED(
                f"{variable} is set, and the file {path} holds the same secret: keep one of them", variable=variable
            )
        found[name] = SecretFile(SecretStr(_read(path, variable)), path)
    return found


def _file_of(name: str, environment: Mapping[str, str]) -> Path | None:
    named = environment.get(PREFIX + name.upper() + FILE_SUFFIX)
    if named is not None:
        return Path(named)
    folder = environment.get(CREDENTIALS_DIRECTORY)
    credential = Path(folder, f"kswifi_{name}") if folder else None
    return credential if credential is not None and credential.is_file() else None


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_SECRET_OCTETS + 1)
        text = octets.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SECRET_FILE_REFUSED(f"{variable}_FILE: {path} cannot be read: {words}", variable=variable) from error
    if len(octets) > LARGEST_SECRET_OCTETS:
        raise SECRET_FILE_REFUSED(
            f"{variable}_FILE: {path} has more than {LARGEST_SECRET_OCTETS} octets", variable=variable
        )
    if not text:
        raise SECRET_FILE_REFUSED(f"{variable}_FILE: {path} is empty", variable=variable)
    return text
