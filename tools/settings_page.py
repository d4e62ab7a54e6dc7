"""Write docs/settings.md: every setting with its default, unit and meaning, from the settings classes.

``python -m tools.settings_page`` writes the page. A test compares the page with the code.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from kswifi.settings import PREFIX, Settings
from kswifi.settings.described import as_text, default_of, is_secret, unit_of

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "settings.md"
_HEADING: Final = """# Settings

Every setting is an environment variable. With the defaults everything runs on one machine. All settings are checked
before anything starts. A variable that begins with `KSWIFI_` and is not a setting is refused, so that a mistyped
limit is noticed. Items of a list are separated by commas. `kswifi config` shows the values in use and where they
come from.

A setting marked *Secret* can be read from a file: write `KSWIFI_SMS_API_KEY_FILE=/etc/kswifi/secrets/sms_api_key`
instead of `KSWIFI_SMS_API_KEY=...`. If neither is set, the systemd credential `kswifi_sms_api_key` counts
(`LoadCredential=kswifi:/etc/kswifi/secrets`). A secret that is set twice is refused.

`python -m tools.settings_page` writes this page from the code; do not edit it.
"""


def _default(field: FieldInfo) -> str:
    text = as_text(default_of(field))
    return f"`{text}`" if text else ""


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
            meaning = (field.description or "").replace("|", "\\|") + (" *Secret.*" if is_secret(field) else "")
            parts.append(f"| `{PREFIX}{name.upper()}` | {_default(field)} | {unit_of(name, field)} | {meaning} |")
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def _words(name: str) -> str:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return spaced[0].upper() + spaced[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
