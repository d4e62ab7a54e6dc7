"""What holds for every test: asynchronous tests run on asyncio, each in an event loop of its own."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the modes of the suite."""
    parser.addoption("--steps-twice", action="store_true", help="run every step of the database twice")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the one backend that the product is written for."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _steps_twice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.config.getoption("--steps-twice"):
        from tests.support.steps_twice import run_every_step_twice

        run_every_step_twice(monkeypatch)
