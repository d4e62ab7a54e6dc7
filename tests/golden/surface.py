"""What the product shows to the outside, as plain data that is compared with the dumps."""

import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings

from kswifi.kernel.errors import KswifiError, Refusal
from kswifi.lab.ports import free_ports
from tests.golden.finding import attributes, string_literals

OUTBOX_KINDS: Final = (
    "desk.give_goodwill",
    "esim.download_progress",
    "esim.peer_cancel",
    "esim.peer_progress",
    "esim.profile_settled",
    "line.apply_wish",
    "line.arrange",
    "line.cut_off",
    "line.end_hold",
    "line.freeze",
    "line.lift_limit",
    "line.limit_day",
    "pass.earn",
    "pass.end_sessions",
    "payment.look",
    "payment.notice",
    "payment.open",
    "payment.refund",
    "payment.withdraw",
    "push_message",
    "send_phone_code",
    "session.deliver",
    "session.disburse",
    "session.expire",
    "session.prepare",
    "session.prove_storage",
    "session.revoke",
    "tell_of_the_end",
)
"""Kinds of outbox entries: they lie in databases, so none is ever renamed."""

EVENT_KINDS: Final = (
    "dispute_answered",
    "free_data_again",
    "hello",
    "line_changed",
    "line_limit_reached",
    "pass_changed",
    "payment_state_changed",
    "profile_state_changed",
    "reset",
    "session_balance_changed",
    "session_state_changed",
)
"""Kinds of events: they lie in databases and go to clients."""

_KIND: Final = re.compile(r"(esim|line|pass|payment|session)\.[a-z_]+|[a-z_]+_changed")
_PROSE: Final = ("description", "summary")


def kinds() -> dict[str, list[str]]:
    """Return the kinds that the sources spell out, those of the lists above and any that look like one."""
    words = string_literals()
    known = set(OUTBOX_KINDS) | set(EVENT_KINDS)
    return {
        "outbox": [it for it in OUTBOX_KINDS if it in words],
        "events": [it for it in EVENT_KINDS if it in words],
        "others": sorted(it for it in words if _KIND.fullmatch(it) and it not in known),
    }


def settings() -> dict[str, Any]:
    """Return every KSWIFI_ variable with its default and whether it has one."""
    found: dict[str, Any] = {}
    for _, _, value in attributes():
        if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings:
            prefix = str(value.model_config.get("env_prefix") or "KSWIFI_")
            for name, field in value.model_fields.items():
                default = field.get_default(call_default_factory=True, validated_data={})
                found[prefix + name.upper()] = (
                    "(required)" if field.is_required() else to_jsonable_python(default, fallback=str)
                )
    return dict(sorted(found.items()))


def commands() -> dict[str, Any]:
    """Return every command of `kswifi` with its arguments and options; no prose."""
    (app,) = {
        id(it): it for _, _, it in attributes() if isinstance(it, typer.Typer) and it.info.name == "kswifi"
    }.values()
    return dict(sorted(_commands(typer.main.get_command(app), "kswifi")))


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    parameters = [
        {
            "names": sorted([*each.opts, *each.secondary_opts]),
            "kind": each.param_type_name,
            "type": _type_name(each.type_descriptor.annotation),
            "required": each.required,
            "default": None if callable(each.default) else to_jsonable_python(each.default, fallback=str),
            "hidden": getattr(each, "hidden", False),
            "many": each.multiple or each.nargs != 1,
        }
        for each in command.params
    ]
    yield path, {"hidden": command.hidden, "parameters": parameters}
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


def errors() -> dict[str, int | None]:
    """Return the code of every error with its HTTP status, None where it never reaches HTTP.

    A code belongs to a subclass of KswifiError, or to a row of a table of refusals.
    """
    statuses: dict[str, int] = {}
    codes = {it.code for it in _subclasses(KswifiError) if it.__module__.startswith("kswifi.")}
    for _, name, value in attributes():
        if name == "STATUS_OF_CODE":
            statuses |= {code: int(status) for code, status in value.items()}
        if isinstance(value, Refusal):
            codes.add(value.code)
    return {code: statuses.get(code) for code in sorted(codes | set(statuses))}


def _subclasses(root: type[KswifiError]) -> Iterator[type[KswifiError]]:
    yield root
    for each in root.__subclasses__():
        yield from _subclasses(each)


def ledger_types() -> dict[str, Any]:
    """Return what the journal, the snapshots and the fingerprints depend on: tags, fields and their order.

    Commands are named by their class; effects and blocks of snapshots by their numbers.
    """
    found: dict[str, Any] = {}
    for module, name, value in attributes():
        if not module.__name__.startswith("kswifi.ledger") or not isinstance(value, type):
            continue
        if not issubclass(value, msgspec.Struct) or not value.__struct_config__.array_like:
            continue
        tag = value.__struct_config__.tag
        if isinstance(tag, str) and tag.startswith("_"):
            continue  # the base class of commands
        key = f"{'command' if isinstance(tag, str) else 'number'} {tag}" if tag is not None else f"struct {name}"
        blocks = "items" in value.__struct_fields__
        found[f"snapshot block {tag}" if blocks else key] = {
            "class": None if blocks or name.startswith("_") else value.__name__,
            "fields": [
                [it.encode_name, _type_name(it.type), repr(it.default) if not it.required else "(required)"]
                for it in msgspec.structs.fields(value)
            ],
        }
    return dict(sorted(found.items()))


def _type_name(kind: object) -> str:
    words = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", ()) else str(kind)
    short = re.sub(r"\b(?:kswifi|typing|pathlib|datetime)\.(?:\w+\.)*", "", words)
    return re.sub(r"^Optional\[(.*)\]$", r"\1 | None", short)  # as Python 3.14 writes it


# -- what a running server shows ----------------------------------------------------------------------------------


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run `kswifi serve` on an empty data directory; give its address and the directory."""
    ports = free_ports(
        ("api", "metrics", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox", "console")
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    environment |= {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    environment |= {"KSWIFI_DATA_DIR": str(folder / "data"), "KSWIFI_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [sys.executable, "-m", "kswifi", "serve", "--as-child"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"{"), "the server did not start"
            yield f"127.0.0.1:{ports['api']}", folder / "data"
        finally:
            server.communicate(b"")  # the end of its input stops it


def openapi(address: str) -> dict[str, Any]:
    """Return the OpenAPI document without its prose and its version."""
    connection = http.client.HTTPConnection(address, timeout=30)
    with closing(connection):
        connection.request("GET", "/api/v1/openapi.json")
        answer = connection.getresponse()
        assert answer.status == 200
        document: dict[str, Any] = json.loads(answer.read())
    document["info"].pop("version")
    return _without_prose(document)  # type: ignore[no-any-return]


def _without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_prose(inner)
            for name, inner in sorted(value.items())
            if not (name in _PROSE and isinstance(inner, str))
        }
    return [_without_prose(it) for it in value] if isinstance(value, list) else value


def data_directory(folder: Path) -> list[str]:
    """Return the names and the modes of what a first start makes; databases' working files left out."""
    return sorted(
        f"{it.stat().st_mode & 0o777:o} {it.relative_to(folder)}"
        for it in folder.rglob("*")
        if not it.name.endswith(("-wal", "-shm"))
    )


def schemas(folder: Path) -> dict[str, dict[str, str]]:
    """Return the statements that made each table, index and trigger of each database."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("*.db")):
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
            found[str(path.relative_to(folder))] = {
                f"{kind} {name}": " ".join(sql.split()) for kind, name, sql in sorted(rows)
            }
    return found
