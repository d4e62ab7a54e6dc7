"""What holds for every test: asynchronous tests run on asyncio, each in an event loop of its own."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgresql


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
