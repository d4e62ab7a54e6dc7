"""The imports of the app's JavaScript, including ``import()`` at run time, have no circles."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from kswifi.pwa.assets import STATIC

_IMPORT = re.compile(r'(?:\bfrom|^import|\bimport\()\s*"(\.[^"]+\.js)"', re.MULTILINE)
ENTRIES = {"main.js", "lab.js"}


def imports_below(folder: Path) -> dict[str, set[str]]:
    """Return each module's imports of other modules, as paths below the folder."""
    return {
        path.relative_to(folder).as_posix(): {
            (path.parent / named).resolve().relative_to(folder.resolve()).as_posix()
            for named in _IMPORT.findall(path.read_text(encoding="utf-8"))
        }
        for path in folder.rglob("*.js")
    }


def test_imports_have_no_circles() -> None:
    imports = imports_below(STATIC / "js")
    TopologicalSorter(imports).prepare()  # raises CycleError and names the circle
    assert set().union(*imports.values()) == imports.keys() - ENTRIES


def test_only_the_list_of_screens_imports_screens_except_for_the_first() -> None:
    imports = imports_below(STATIC / "js")
    screens = imports["screens/index.js"]
    importers = {name for name, named in imports.items() if named & screens}
    assert len(screens) > 10
    assert imports["main.js"] & screens == {"screens/home.js"}
    assert importers == {"main.js", "screens/index.js"}


@pytest.mark.parametrize(
    "back", ['import { a } from "../a.js";', 'import "../a.js";', 'b(() => import("../a.js"))']
)
def test_a_circle_is_found_in_each_form_of_import(tmp_path: Path, back: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.js").write_text('import {\n  b,\n} from "./sub/b.js";\n')
    (tmp_path / "sub/b.js").write_text(back)
    with pytest.raises(CycleError):
        TopologicalSorter(imports_below(tmp_path)).prepare()
