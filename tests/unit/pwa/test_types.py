"""The app's JavaScript has types, in comments, and they hold. Only this check needs Node."""

import pytest

from tests.support.node import need_node_modules, npm_run


@pytest.mark.xdist_group("node")
def test_the_types_of_the_app_hold() -> None:
    need_node_modules()
    checked = npm_run("types")
    assert checked.returncode == 0, checked.stdout
