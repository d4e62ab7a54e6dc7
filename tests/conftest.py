"""What holds for every test: asynchronous tests run on asyncio, each in an event loop of its own."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the one backend that the product is written for."""
    return "asyncio"
