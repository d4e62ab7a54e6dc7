"""What only the whole can check: that the key files are those with which the data here was made."""

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.engine import Row

from kswifi.data_directory.layout import Installation, InstallationDamagedError
from kswifi.database.engine import Database
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.sql import esim
from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.numbers import Imsi
from kswifi.session_package import verify_package
from kswifi.session_package.errors import UnknownKeyError
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.sql import session_package


async def check_keys(
    installation: Installation, database: Database, vault: SubscriberVault, signing_key: SessionSigningKey
) -> None:
    """Try both keys on the newest of what was made with them; the identifiers grow with time (RFC 9562, 5.7).

    A key file of another installation would serve well until the first card attaches, or the first phone verifies.

    Raises:
        SubscriberKeysDamagedError: the subscriber key does not open the newest line's keys.
        InstallationDamagedError: the newest package was signed with another key.
        PackageError: it is damaged.
    """
    lines = select(esim.c.imsi, esim.c.sealed_keys).order_by(esim.c.esim_id.desc()).limit(1)
    packages = select(session_package.c.package).order_by(session_package.c.session_id.desc()).limit(1)

    def look(connection: Connection) -> tuple[Row[*tuple[Any, ...]] | None, bytes | None]:
        line = connection.execute(lines).one_or_none()
        package = connection.execute(packages).scalar_one_or_none()
        return line, package

    line, package = await database.read(look)
    if line is not None:
        vault.open(Imsi(line.imsi), line.sealed_keys)
    if package is not None:
        try:
            verify_package(package, signing_key.public_keys, None, from_unix_seconds(0))  # valid or not any more
        except UnknownKeyError:
            raise InstallationDamagedError(
                f"{installation.session_signing_key} is not the key that the packages here were signed with: it is "
                "another one. Bring the right one back with `kswifi restore FILE`.",
                part=installation.session_signing_key.name,
            ) from None
