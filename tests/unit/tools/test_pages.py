"""Generated pages match the code that they are generated from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kswifi.settings import PREFIX, Settings
from tools import code_map, commands_page, metrics_page, settings_page


@pytest.mark.parametrize(
    ("page", "write", "command"),
    [
        (code_map.PAGE, code_map.page, "python -m tools.code_map"),
        (settings_page.PAGE, settings_page.page, "python -m tools.settings_page"),
        (commands_page.PAGE, commands_page.page, "python -m tools.commands_page"),
        (metrics_page.PAGE, metrics_page.page, "python -m tools.metrics_page"),
    ],
    ids=["code-map", "settings", "commands", "metrics"],
)
def test_a_generated_page_is_current(page: Path, write: Callable[[], str], command: str) -> None:
    assert page.read_text(encoding="utf-8") == write(), f"run: {command}"


def test_every_setting_is_on_the_page_and_has_a_meaning() -> None:
    page = settings_page.page()

    for name, field in Settings.model_fields.items():
        assert page.count(f"`{PREFIX}{name.upper()}`") == 1, name
        assert field.description, f"{name} has no description"


def test_every_module_has_a_docstring() -> None:
    missing = [
        str(path.relative_to(code_map.PACKAGE))
        for path in code_map.PACKAGE.rglob("*.py")
        if not code_map.summary(path) and "migrations" not in path.parts
    ]

    assert missing == []
