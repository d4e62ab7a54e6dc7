"""The app's JavaScript passes the type checker, which reads types from comments. This check needs Node."""

import pytest

from tests.support.node import need_node_modules, npm_run


@pytest.mark.xdist_group("node")
def test_the_types_of_the_app_hold() -> None:
    need_node_modules()
    checked = npm_run("types")
    assert checked.returncode == 0, checked.stdout
