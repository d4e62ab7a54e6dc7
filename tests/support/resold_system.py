"""A server process in resold mode, and its rehearsal's data provider in the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from kswifi.bootstrap.rehearsal_key import read_rehearsal_key
from kswifi.cli.up import SERVER_ALONE
from kswifi.data_directory.layout import Installation
from kswifi.lab.ports import free_ports
from kswifi.lab.rehearsal.providers.engine import Rules
from kswifi.lab.rehearsal.providers.server import ProviderConfig, RunningProvider, serving_provider
from tests.support.system import WholeSystem, whole_system

_OFFER: Final = """[[offer]]
id = "free-1gb"
title = "1 GB"
allowance_octets = 1000000000
price_kobo = 0
valid_days = 30
"""
_HOSTS: Final = ("host", "api_host", "rsp_host", "es2_host", "diameter_host", "metrics_host")
_LOOPBACK: Final[dict[str, Any]] = dict.fromkeys(_HOSTS, "127.0.0.1")


@asynccontextmanager
async def resold_system(
    folder: Path, name: str, **settings: Any
) -> AsyncIterator[tuple[WholeSystem, RunningProvider]]:
    """Give a server that is not started yet, and the provider that it rehearses with, which is."""
    offers = folder / "resold-offers.toml"
    offers.write_text(_OFFER)
    port = free_ports(("provider",))["provider"]
    system = whole_system(
        folder,
        mode="resold",
        rehearsal_provider=name,
        data_providers="",
        rehearsal_provider_port=port,
        offers_file=offers,
        **{**_LOOPBACK, **settings},
    )
    system.names = SERVER_ALONE
    installation = Installation(system.data_dir)
    installation.rehearsal_provider_key.parent.mkdir(mode=0o700, parents=True)
    rules = Rules(merges=name == "esim_access", same_line_seconds=0)
    config = ProviderConfig(face=name, key=read_rehearsal_key(installation), rules=rules, port=port)
    async with serving_provider(config) as running:
        try:
            yield system, running
        finally:
            await asyncio.to_thread(system.stop)
