"""Describe a setting: its unit or values, its default, and its value as text. Pure."""

from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

PREFIX: Final = "KSWIFI_"
"""Of the environment variable of each setting."""
HIDDEN: Final = "(secret)"
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


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting is a secret, which is never shown."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def unit_of(name: str, field: FieldInfo) -> str:
    """Return the unit of a setting, or its possible values; empty if it has neither."""
    if field.annotation is bool:
        return "true, false"
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(choices)
    return _UNITS.get(name.rpartition("_")[2], "")


def default_of(field: FieldInfo) -> Any:
    """Return the default value of a setting."""
    return field.get_default(call_default_factory=True, validated_data={})


def as_text(value: object) -> str:
    """Return a value as an environment variable would hold it; a secret as a fixed text; empty for no value."""
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return tuple(choice for part in get_args(annotation) for choice in _choices(part))
    return ()
