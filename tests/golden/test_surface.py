"""The product's surface is what it was: names, codes, settings, tables, and the API's document.

Each test compares today's code with a dump in data/. A difference that is meant is written down by
``python -m tests.golden.regenerate``; look at ``git diff tests/golden/data`` and commit only what you meant.
Never regenerate to make a refactoring pass: outbox kinds, error codes, states, settings, tables, ledger commands
and effect numbers lie in databases, journals and other people's programs. The journals in data/ledger are written
anew as well; keep the old ones (``git checkout tests/golden/data/ledger tests/golden/data/ledger.json``) unless the
history itself changed.

Prose (summaries, descriptions, help texts) is not in the dumps. Classes are found by name in all modules, so
moving a module changes nothing here.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden import dumps, road, surface


@pytest.mark.parametrize("name", dumps.SURFACE)
def test_what_the_code_declares_is_unchanged(name: str) -> None:
    assert dumps.as_json(dumps.SURFACE[name]()) == dumps.read_dump(name)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with surface.served(tmp_path_factory.mktemp("golden")) as (address, folder):
        yield dumps.as_json(dumps.of_server(address, folder))


@pytest.mark.parametrize("name", ["openapi", "data-directory", "schemas"])
def test_what_a_server_shows_is_unchanged(shown: dict[str, Any], name: str) -> None:
    assert shown[name] == dumps.read_dump(name)


async def _road(folder: Path) -> Any:
    return dumps.as_json(await road.order_until_stored(folder))


def test_an_order_leaves_the_same_jobs_and_events(tmp_path: Path) -> None:
    assert asyncio.run(_road(tmp_path)) == dumps.read_dump("road")
