"""What only the whole can check: that names reach us, and that the key files are those that made the data."""

from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, select
from sqlalchemy.engine import Row

from kswifi.data_directory.layout import INSTALLATION_DAMAGED, Installation
from kswifi.database.engine import Database
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.esim.sql import esim
from kswifi.kernel.clock import from_unix_seconds
from kswifi.kernel.listening import is_loopback
from kswifi.kernel.numbers import Imsi
from kswifi.session_package import verify_package
from kswifi.session_package.errors import UnknownKeyError
from kswifi.sessions.signing import SessionSigningKey
from kswifi.sessions.sql import session_package
from kswifi.settings import Settings, SettingsInvalidError


async def check_keys(
    installation: Installation, database: Database, vault: SubscriberVault, signing_key: SessionSigningKey
) -> None:
    """Try both keys on the newest of what was made with them; the identifiers grow with time (RFC 9562, 5.7).

    A key file of another installation would serve well until the first card attaches, or the first phone verifies.

    Raises:
        SubscriberKeysDamagedError: the subscriber key does not open the newest line's keys.
        INSTALLATION_DAMAGED: the newest package was signed with another key.
        PackageError: it is damaged.
    """
    cards = select(esim.c.imsi, esim.c.sealed_keys).where(esim.c.sealed_keys.is_not(None))
    lines = cards.order_by(esim.c.esim_id.desc()).limit(1)
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
            raise INSTALLATION_DAMAGED(
                f"{installation.session_signing_key} is not the key that the packages here were signed with: it is "
                "another one. Bring the right one back with `kswifi restore FILE`.",
                part=installation.session_signing_key.name,
            ) from None


def check_names(settings: Settings, smdp_address: str, *, page: bool) -> None:
    """Refuse to start where phones elsewhere would be given names of their own loopback.

    Session packages are signed with the SM-DP+'s name in them and cannot be changed once they are given out.
    Outside embedded mode, loopback names are taken only where every port listens on loopback and the page has no
    public origin: nobody elsewhere can use such a server, and tests do.

    Args:
        settings: all of them.
        smdp_address: the SM-DP+'s name in activation codes.
        page: whether the page is served too.

    Raises:
        SettingsInvalidError: naming the setting.
    """
    page_host = urlsplit(settings.origin).hostname or ""
    if settings.mode == "embedded" or (settings.is_on_loopback and is_loopback(page_host)):
        return
    if settings.peer_address is None and is_loopback(smdp_address.rpartition(":")[0] or smdp_address):
        raise SettingsInvalidError(
            f"KSWIFI_SMDP_ADDRESS is needed: packages would be signed with {smdp_address}, where no phone finds an "
            "SM-DP+. Write the name by which phones reach ES9+ (smdp.example.org, with :port if it is not 443); "
            "KSWIFI_PUBLIC_ORIGIN likewise says where they find the page",
            variable="KSWIFI_SMDP_ADDRESS",
        )
    if page and is_loopback(page_host):
        raise SettingsInvalidError(
            f"KSWIFI_PUBLIC_ORIGIN is needed: the page would be said to be at {settings.origin}, where no phone "
            "finds it. Write the address by which people reach it (https://kswifi.example.org)",
            variable="KSWIFI_PUBLIC_ORIGIN",
        )
