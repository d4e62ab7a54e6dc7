"""Minify the app's scripts and style sheets with esbuild. Run by `make app`; needs `npm ci` in tools/js.

The results are committed in ``src/kswifi/pwa/minified``, so that running KSWiFi needs no Node. The first line of
each is a comment with the SHA-256 of its source. The server sends a minified file only if the present source has
this hash; otherwise it sends the source.
"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from kswifi.pwa.assets import LANGUAGES, MINIFIED, PREFIX, STATIC

ESBUILD = Path(__file__).parent / "js/node_modules/.bin/esbuild"
_OPTIONS = ("--minify", "--target=es2022", "--charset=utf8", "--legal-comments=none", "--log-level=warning")
# With this option esbuild shortens a module's top-level names. The service worker is a classic script, not a
# module.
_MODULE = ("--format=esm",)
# A later --target replaces an earlier one: browsers that are too old for the app still have to read old.js.
_CLASSIC = {"sw.js": (), "old.js": ("--target=es5",)}


def minify(static: Path = STATIC) -> Mapping[str, str]:
    """Return the minified form of each script and style sheet, by its path below ``static``.

    Raises:
        subprocess.CalledProcessError: esbuild refused a file; its standard error has the reason.
    """
    found = (
        path.relative_to(static).as_posix()
        for path in sorted(static.rglob("*"))
        if path.suffix in (".js", ".css") and path.parent.name != "vendor"
    )
    names = [name for name in found if PREFIX + name not in LANGUAGES]  # the server itself compacts the languages
    with TemporaryDirectory() as folder:
        bare, out = Path(folder) / "bare", Path(folder) / "out"
        for name in names:
            (bare / name).parent.mkdir(parents=True, exist_ok=True)
            (bare / name).write_text(
                _without_indentation((static / name).read_text(encoding="utf-8")), encoding="utf-8"
            )
        _esbuild(bare, out, [name for name in names if name not in _CLASSIC], _MODULE)
        for name, options in _CLASSIC.items():
            _esbuild(bare, out, [one for one in names if one == name], options)
        return {
            name: f"/*{hashlib.sha256((static / name).read_bytes()).hexdigest()}*/\n"
            + (out / name).read_text(encoding="utf-8")
            for name in names
        }


def _without_indentation(source: str) -> str:
    """Remove indentation, which esbuild would keep inside templates.

    htm drops white space that contains a line break, so indentation has no meaning in the app's templates.
    """
    return re.sub(r"(?<=[>}])\n(?=<)|(?<=>)\n(?=\$\{)", "", re.sub(r"\n[ \t]+", "\n", source))


def _esbuild(bare: Path, out: Path, names: list[str], options: tuple[str, ...]) -> None:
    if names:
        command = [str(ESBUILD), *names, *_OPTIONS, *options, f"--outdir={out}", "--outbase=."]
        subprocess.run(command, cwd=bare, check=True)


def main() -> int:
    """Write all minified files, and remove those whose source does not exist any more."""
    if not ESBUILD.exists():
        print("make app: esbuild is missing. Install it: npm ci --ignore-scripts in tools/js", file=sys.stderr)
        return 1
    made = minify()
    for path in MINIFIED.rglob("*"):
        if path.is_file() and path.relative_to(MINIFIED).as_posix() not in made:
            path.unlink()
    for name, content in made.items():
        (MINIFIED / name).parent.mkdir(parents=True, exist_ok=True)
        (MINIFIED / name).write_text(content, encoding="utf-8")
    print(f"make app: {len(made)} files, {sum(map(len, made.values()))} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
