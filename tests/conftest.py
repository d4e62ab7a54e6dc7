"""What holds for every test: asynchronous tests run on asyncio, each in an event loop of its own."""

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgresql

TESTS: Final = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Declare the suite's own marker, and let no data directory of a test keep 64 MB."""
    os.environ.setdefault("KSWIFI_BALLAST_OCTETS", "0")
    config.addinivalue_line("markers", "counts_statements: counts what steps do, so they run once in every mode")
    config.addinivalue_line("markers", "sqlite: about SQLite's file or its ways, and left out on PostgreSQL")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the modes of the suite."""
    parser.addoption("--steps-twice", action="store_true", help="run every step of the database twice")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say which tests run in one process, and leave out those about SQLite's file on PostgreSQL."""
    for item in items:
        if (group := _group_of(item.path.relative_to(TESTS))) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    if not postgresql.WANTED:
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]


def _group_of(path: Path) -> str | None:
    """Return the tests that run in the same process as those of this file; None for each test by itself.

    What a file shares, a server or a card, is started once for it. All browser tests share a KSWiFi, so that they
    are in two processes. Tests of e2e and simulation are long and share nothing.
    """
    if path.parts[0] == "browser":
        return f"browser-{sum(path.name.encode()) % 2}"
    return None if path.parts[0] in ("e2e", "simulation") else str(path)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the one backend that the product is written for."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _steps_twice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = request.node.get_closest_marker("counts_statements") is not None
    if request.config.getoption("--steps-twice") and not counts:
        from tests.support.steps_twice import run_every_step_twice

        run_every_step_twice(monkeypatch)


# No test asserts on durations: a busy machine must not fail an example that is merely slow.
settings.register_profile("kswifi", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kswifi")
