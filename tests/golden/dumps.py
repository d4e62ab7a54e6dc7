"""The golden dumps: JSON files in data/, and what today's code gives for each."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.golden import ledger_history, octets, road, surface

DATA: Final = Path(__file__).parent / "data"


def dump_path(name: str) -> Path:
    """Return the file of a dump."""
    return DATA / f"{name}.json"


def read_dump(name: str) -> Any:
    """Return what was written down."""
    return json.loads(dump_path(name).read_text("utf-8"))


def write_dump(name: str, value: object) -> None:
    """Write it down in canonical form, one fact a line, so that a change shows as a small diff."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    dump_path(name).write_text(text + "\n", "utf-8")


def as_json(value: object) -> Any:
    """Return a value as it comes back from a dump."""
    return json.loads(json.dumps(value))


SURFACE: Final[dict[str, Callable[[], Any]]] = {
    "commands": surface.commands,
    "errors": surface.errors,
    "kinds": surface.kinds,
    "ledger-types": surface.ledger_types,
    "settings": surface.settings,
}
"""What is read from the code."""

OCTETS: Final[dict[str, Callable[[], Any]]] = {
    "packets": octets.packets,
    "session-records": octets.records,
}


def of_server(address: str, folder: Path) -> dict[str, Any]:
    """Return what is read from a running server."""
    return {
        "openapi": surface.openapi(address),
        "data-directory": surface.data_directory(folder),
        "schemas": surface.schemas(folder),
    }


def regenerate() -> None:
    """Write every dump and every binary file anew."""
    for name, give in (SURFACE | OCTETS).items():
        write_dump(name, give())
    octets.PACKAGE.write_bytes(octets.package())
    write_dump("package", octets.anatomy(octets.PACKAGE.read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        write_dump("ledger", ledger_history.make(Path(folder)))
        with surface.served(Path(folder)) as (address, data):
            for name, value in of_server(address, data).items():
                write_dump(name, value)
    with tempfile.TemporaryDirectory() as folder:
        write_dump("road", asyncio.run(road.order_until_stored(Path(folder))))
