"""Write docs/settings.md: every setting with its default, unit and meaning, from the settings classes.

``python -m tools.settings_page`` writes the page. A test compares the page with the code.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from kswifi.settings import PREFIX, Settings

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "settings.md"
_HEADING: Final = """# Settings

Every setting is an environment variable. With the defaults everything runs on one machine. All settings are checked
before anything starts. A variable that begins with `KSWIFI_` and is not a setting is refused, so that a mistyped
limit is noticed. Items of a list are separated by commas.

`python -m tools.settings_page` writes this page from the code; do not edit it.
"""
_UNITS: Final = {
    "octets": "octets",
    "kobo": "kobo",
    "seconds": "seconds",
    "days": "days",
    "hours": "hours",
    "minutes": "minutes",
    "percent": "percent",
    "port": "port",
    "host": "address",
    "networks": "networks (CIDR)",
    "hour": "per hour",
    "day": "per day",
    "month": "per month",
}


def _unit(name: str, field: FieldInfo) -> str:
    if field.annotation is bool:
        return "true, false"
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(choices)
    return _UNITS.get(name.rpartition("_")[2], "")


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return tuple(choice for part in get_args(annotation) for choice in _choices(part))
    return ()


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, SecretStr):
        return "(secret)"
    if isinstance(value, tuple):
        return f"`{','.join(str(part) for part in value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Yield the subject of each settings class, and the names of the settings that it declares."""
    for owner in (Settings, *(base for base in Settings.__mro__[1:] if base is not BaseSettings)):
        if not issubclass(owner, BaseSettings):
            continue
        names = [name for name in inspect.get_annotations(owner) if name in Settings.model_fields]
        if names:
            yield owner.__name__.removesuffix("Settings") or "General", names


def page() -> str:
    """Return the page for the present code."""
    parts = [_HEADING]
    for subject, names in _groups():
        parts.append(f"\n## {_words(subject)}\n")
        parts.append("| variable | default | unit or values | meaning |\n|---|---|---|---|")
        for name in names:
            field = Settings.model_fields[name]
            meaning = (field.description or "").replace("|", "\\|")
            parts.append(f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_unit(name, field)} | {meaning} |")
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def _words(name: str) -> str:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return spaced[0].upper() + spaced[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
