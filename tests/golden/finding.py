"""Find classes and objects of the product by what they are called, wherever their module lies."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import kswifi

PACKAGE = Path(kswifi.__file__).parent


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of the product and return them; what an optional extra needs is left out."""
    found = []
    for info in pkgutil.walk_packages(kswifi.__path__, "kswifi."):
        if info.name.endswith(".__main__") or ".migrations" in info.name:
            continue
        try:
            found.append(importlib.import_module(info.name))
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("kswifi"):
                raise
    return tuple(found)


def attributes() -> Iterator[tuple[ModuleType, str, Any]]:
    """Yield every attribute of every module."""
    for module in modules():
        for name, value in vars(module).items():
            yield module, name, value


@cache
def find(name: str, near: str = "kswifi") -> Any:
    """Return the one class, function or constant of this name in the modules below ``near``."""
    found: list[Any] = []
    for module, attribute, value in attributes():
        home = getattr(value, "__module__", None) or module.__name__
        if attribute == name and home.startswith(near) and not any(value is each for each in found):
            found.append(value)
    assert len(found) == 1, f"{len(found)} objects are called {name} below {near}"
    return found[0]


@cache
def string_literals() -> frozenset[str]:
    """Return every string literal of the product's sources, docstrings left out."""
    words: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        prose = {id(it.value) for it in ast.walk(tree) if isinstance(it, ast.Expr)}
        words.update(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
        )
    return frozenset(words)
