"""What all parts of the server process share, and the services that they offer to each other."""

import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kswifi.bootstrap.checks import check_keys
from kswifi.bootstrap.connections import limits_of
from kswifi.bootstrap.part import Part, Supervisor
from kswifi.data_directory.ballast import Ballast
from kswifi.data_directory.layout import Installation
from kswifi.database.engine import Database
from kswifi.database.migrate import migrate
from kswifi.esim.lines.vault import VAULT_KEY_OCTETS, SubscriberVault
from kswifi.kernel.clock import Clock
from kswifi.listeners.descriptors import raise_descriptor_limit
from kswifi.listeners.pool import ConnectionPool
from kswifi.outbox.leases import release_leases
from kswifi.sessions.signing import SessionSigningKey, fresh_signing_key_pem
from kswifi.sessions.signing_rotation import read_signing_key
from kswifi.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """The foundation that every part stands on.

    A part offers the services that later parts need (``offer``); a later part takes them by their class (``need``).

    Attributes:
        stack: closes what was opened, the last first.
        pool: holds the connections of all HTTP listeners.
        ballast: the file that is deleted when the disk is full.
        descriptors: how many files and sockets the process may open.
        vault_key: the key of ``vault``; pseudonyms derive from it too.
        parts: those that are open by now.
    """

    settings: Settings
    installation: Installation
    clock: Clock
    stack: AsyncExitStack
    supervisor: Supervisor
    ballast: Ballast
    descriptors: int
    pool: ConnectionPool
    database: Database
    vault_key: bytes
    vault: SubscriberVault
    signing_key: SessionSigningKey
    parts: list[Part] = field(default_factory=list)
    _services: dict[type[Any], object] = field(default_factory=dict)

    def offer(self, *services: object) -> None:
        """Offer services to later parts, each under its class."""
        self._services.update((type(it), it) for it in services)

    def need(self, kind: type[T]) -> T:
        """Return the service of a class.

        Raises:
            LookupError: no part before this one offers it: a mistake in the order of the parts.
        """
        found = self.find(kind)
        if found is None:
            raise LookupError(f"no part offers a {kind.__name__}: its part must come earlier in PARTS")
        return found

    def find(self, kind: type[T]) -> T | None:
        """Return the service of a class; None where the settings leave it out."""
        found = self._services.get(kind)
        return found if isinstance(found, kind) else None

    def merged(self, of: Callable[[Part], Iterable[tuple[str, T]]]) -> dict[str, T]:
        """Return the named things of all open parts together.

        Raises:
            ValueError: two parts use one name.
        """
        merged: dict[str, T] = {}
        for part in self.parts:
            for name, value in of(part):
                if name in merged:
                    raise ValueError(f"two parts are called {name}")
                merged[name] = value
        return merged


async def open_context(
    settings: Settings, installation: Installation, clock: Clock, stack: AsyncExitStack
) -> Context:
    """Read the keys, open and migrate the database, and check that both belong together.

    Raises:
        KswifiError: the data directory is damaged, or its keys are those of another installation.
    """
    ballast = Ballast(installation.ballast, settings.ballast_octets)
    ballast.prepare()  # before anything is opened: a disk that is nearly full may have no room for that
    signing_key = read_signing_key(
        installation.read_or_make(installation.session_signing_key, fresh_signing_key_pem),
        installation.retired_signing_keys,
    )
    vault_key = installation.read_or_make(installation.subscriber_key, lambda: os.urandom(VAULT_KEY_OCTETS))
    vault = SubscriberVault(vault_key)
    database = Database(installation.database_url, clock)
    stack.push_async_callback(database.close)
    await migrate(database)
    await database.write(release_leases)  # we hold the directory's lock: the workers that leased them are dead
    await check_keys(installation, database, vault, signing_key)
    descriptors = raise_descriptor_limit()
    return Context(
        settings=settings,
        installation=installation,
        clock=clock,
        stack=stack,
        supervisor=Supervisor(),
        ballast=ballast,
        descriptors=descriptors,
        pool=ConnectionPool(limits_of(settings, descriptors)),
        database=database,
        vault_key=vault_key,
        vault=vault,
        signing_key=signing_key,
    )
