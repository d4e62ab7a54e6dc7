"""List every setting with its value and the source of that value, for `kswifi config`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kswifi.settings import PREFIX, Settings, load_settings
from kswifi.settings.described import as_text, default_of, unit_of
from kswifi.settings.secret_files import read_secret_files, secret_settings

DEFAULT: Final = "default"
ENVIRONMENT: Final = "environment"


@dataclass(frozen=True, slots=True)
class ListedSetting:
    """One setting. Texts are empty where there is nothing to say; secrets are never in them.

    Attributes:
        variable: the environment variable.
        source: ``default``, ``environment``, or the file that holds the secret.
    """

    variable: str
    value: str
    default: str
    unit: str
    source: str
    meaning: str

    @property
    def is_set(self) -> bool:
        """True if the operator gave a value."""
        return self.source != DEFAULT


def list_settings(environment: Mapping[str, str]) -> list[ListedSetting]:
    """Return every setting, in the order of the settings classes.

    Raises:
        SettingsInvalidError: a setting is invalid.
        SECRET_FILE_REFUSED: the file of a secret cannot be used.
    """
    settings = load_settings()
    fields = Settings.model_fields
    files = read_secret_files(secret_settings(fields), environment)
    set_names = {name.upper() for name in environment}
    listed = []
    for name, field in fields.items():
        variable = PREFIX + name.upper()
        source = ENVIRONMENT if variable in set_names else DEFAULT
        if name in files:
            source = str(files[name].path)
        listed.append(
            ListedSetting(
                variable=variable,
                value=as_text(getattr(settings, name)),
                default=as_text(default_of(field)),
                unit=unit_of(name, field),
                source=source,
                meaning=field.description or "",
            )
        )
    return listed


def as_markdown(listed: list[ListedSetting]) -> str:
    """Return the settings as one Markdown table."""
    rows = ["| variable | value | source | default | unit or values | meaning |", "|---|---|---|---|---|---|"]
    for it in listed:
        cells = (f"`{it.variable}`", _code(it.value), it.source, _code(it.default), it.unit, it.meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def as_lines(listed: list[ListedSetting]) -> str:
    """Return one block for people: the settings that were set, then those that have their default."""
    width = max(len(it.variable) for it in listed)
    lines = []
    for heading, group in (
        ("Set", [it for it in listed if it.is_set]),
        ("Default", [it for it in listed if not it.is_set]),
    ):
        lines.append(f"{heading} ({len(group)}):")
        for it in group:
            unit = f" {it.unit}" if it.value and it.unit and "," not in it.unit else ""
            default = f"; default {it.default}" if it.is_set and it.default else ""
            source = f"   ({it.source}{default})" if it.is_set else ""
            lines.append(f"  {it.variable:{width}}  {it.value or '-'}{unit}{source}")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
