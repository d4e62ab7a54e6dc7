"""The committed minified files are esbuild's output for the present sources, and stale ones are never sent."""

import hashlib
import re
from pathlib import Path

import pytest

from kswifi.pwa.assets import LANGUAGES, MINIFIED, PREFIX, STATIC, load_assets
from tests.support.node import need_node_modules
from tools.app_minify import minify

SOURCES = [
    name
    for name in sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*"))
    if name.endswith((".js", ".css")) and not name.startswith("vendor/") and PREFIX + name not in LANGUAGES
]


@pytest.mark.parametrize("name", SOURCES)
def test_every_script_and_style_sheet_is_sent_minified(name: str) -> None:
    source = (STATIC / name).read_bytes()
    made_of, _, content = (MINIFIED / name).read_bytes().partition(b"\n")
    assert made_of == f"/*{hashlib.sha256(source).hexdigest()}*/".encode(), f"{name} has changed: run make app"
    sent = load_assets().by_url["/sw.js" if name == "sw.js" else PREFIX + name].content
    assert sent.endswith(content)
    assert len(content) < len(source)


def test_a_source_newer_than_its_minified_file_is_sent_instead(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    for name in ("sw.js", "js/db.js", "js/api.js"):
        (tmp_path / name).write_bytes((STATIC / name).read_bytes())
    changed = (STATIC / "js/db.js").read_bytes() + b"\nconsole.info(1);\n"
    (tmp_path / "js/db.js").write_bytes(changed)
    sent = load_assets(tmp_path).by_url
    assert sent["/app/js/db.js"].content == changed
    assert sent["/app/js/api.js"].content == load_assets().by_url["/app/js/api.js"].content


def test_the_committed_files_are_esbuilds_output_for_the_sources() -> None:
    need_node_modules()
    made = minify()
    kept = {
        path.relative_to(MINIFIED).as_posix(): path.read_text(encoding="utf-8")
        for path in MINIFIED.rglob("*")
        if path.is_file()
    }
    assert kept.keys() == made.keys(), "run make app"
    assert [name for name in made if made[name] != kept[name]] == [], "run make app"


def test_indentation_within_templates_is_removed_and_spaces_are_kept(tmp_path: Path) -> None:
    need_node_modules()
    (tmp_path / "a.js").write_text(
        "/** Why. @type {any} */\nexport const html = (...all) => all;\n"
        "export const view = (first, other) =>\n"
        "  html`<p>\n    <b>${first}</b> <i>x  y</i>\n    ${other}\n  </p>`; // end\n"
    )
    made = minify(tmp_path)["a.js"].partition("\n")[2]
    assert re.sub(r"\$\{\w+\}", "${}", made).count("`<p><b>${}</b> <i>x  y</i>${}</p>`") == 1
    assert "Why" not in made
    assert "end" not in made
