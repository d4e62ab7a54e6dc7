"""One running system that the quick end-to-end tests share; each brings its own account, phone and session."""

from collections.abc import Iterator

import pytest

from tests.support.system import WholeSystem, running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSystem]:
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running
