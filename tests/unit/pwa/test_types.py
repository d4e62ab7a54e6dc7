"""The app's JavaScript passes the type checker, which reads types from comments. This check needs Node."""

from tests.support.node import need_node_modules, npm_run


def test_the_types_of_the_app_hold() -> None:
    need_node_modules()
    checked = npm_run("types")
    assert checked.returncode == 0, checked.stdout
