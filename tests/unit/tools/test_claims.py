"""What the documents and messages tell people to install, ask and read is there."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from kswifi.api.app import ROUTERS
from kswifi.api.reference import REFERENCE_PATH

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS: Final = [*PAGES, *sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.sh"))]


def words_of(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_no_page_installs_the_product_from_an_index_which_does_not_have_it() -> None:
    told = re.findall(r"pip install ['\"]?kswifi", words_of(TEXTS))
    assert told == []


def test_each_requirements_file_that_is_named_exists() -> None:
    named = set(re.findall(r"-r (requirements/[a-z0-9]+\.txt)", words_of(TEXTS)))
    assert {"requirements/reader.txt", "requirements/open5gs.txt"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_extra_is_locked_with_hashes_and_locked_again_by_make_lock() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    [parts] = re.findall(r"for part in ([a-z0-9 ]+);", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert extras.keys() <= set(parts.split())
    for extra, packages in extras.items():
        locked = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")
        for package in packages:
            assert re.search(rf"^{package}==.*\\\n +--hash=sha256:", locked, re.MULTILINE), package


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", REFERENCE_PATH, "/.well-known/jwks.json"]
)
def test_each_door_for_programs_is_on_a_page(path: str) -> None:
    assert f"`{path}`" in words_of(PAGES).replace("`GET ", "`")


def test_each_path_of_the_api_that_a_page_names_is_served() -> None:
    paths = {route.path for router in ROUTERS for route in router.routes}  # type: ignore[attr-defined] # APIRoute
    told = set(re.findall(r"`(?:GET|POST|PUT|DELETE) (/api/v1/[^`? ]+)`", words_of(PAGES)))
    shaped = {re.sub(r"\{[^}]+\}", "{}", path) for path in paths}
    assert {path for path in told if re.sub(r"\{[^}]+\}", "{}", path) not in shaped} <= {REFERENCE_PATH}
    assert len(told) > 15
