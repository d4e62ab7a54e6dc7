"""What holds for every test: asynchronous tests run on asyncio, each in an event loop of its own."""

import os
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.support import postgresql

SHARED: Final = {
    "e2e/test_access.py": "one system",
    "e2e/test_packages.py": "one system",
    "e2e/test_standing_order.py": "one system",
    "e2e/test_packet_kills.py": "packets",
    "e2e/test_damage.py": "damage",
}
"""The files of long tests that share a server. Each other long test is by itself."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the suite's own marker, and let no data directory of a test keep 64 MB."""
    os.environ.setdefault("KSWIFI_BALLAST_OCTETS", "0")
    config.addinivalue_line("markers", "counts_statements: counts what steps do, so they run once in every mode")
    config.addinivalue_line("markers", "sqlite: about SQLite's file or its ways, and left out on PostgreSQL")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the modes of the suite."""
    parser.addoption("--steps-twice", action="store_true", help="run every step of the database twice")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of SQLite's own file where the databases of the tests are on PostgreSQL."""
    if not postgresql.WANTED:
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute the tests by what they share. (The marks of pytest-xdist 3.8 have no effect with pytest 9.2.)"""
    return _BySharedServer(config, log)


class _BySharedServer(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Runs tests that share a server, a browser or a card in one process, so that it is started once for them."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0].removeprefix("tests/")
        if path.startswith("browser/"):  # they share one KSWiFi: two processes, and two of it
            return f"browser-{sum(path.encode()) % 2}"
        if path in SHARED:
            return SHARED[path]
        return nodeid if path.startswith(("e2e/", "simulation/")) else path


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
