"""The app's files: read once, hashed, compressed once, and listed for the service worker.

Nothing is bundled or rewritten but for two things: on the way to the user comments and indentation are left
out, a tenth of all that would be sent, and the keys of a second language's texts; lines stay where they are. The
hash of a file is its ETag and its entry in the precache list, so that an update fetches only the files that
changed: those who use this pay for every kilobyte. The first page's files come one by one, as browsers fetch them;
the service worker of a first visit gets all other scripts in one parcel, where gzip sees what they have in common.
"""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
PREFIX: Final = "/app/"
LAB_FILES: Final = frozenset({"lab.html", "lab.css", "js/lab.js", "js/text/lab.js"})
"""Files of the lab phone: served in embedded mode only, and never kept on a user's device."""

ON_DEMAND: Final = frozenset({"/app/js/text/pcm.js"})
"""What the service worker keeps only once it was asked for: a second language."""

PAGES: Final = MappingProxyType({"index.html": "/", "manifest.webmanifest": "/manifest.webmanifest"})

_TYPES: Final = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webmanifest": "application/manifest+json",
    }
)
_IMPORT_MAP: Final = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)
_COMMENT_LINES: Final = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)$", re.MULTILINE)
_TYPE_COMMENT: Final = re.compile(rb"/\*\* @(?:type|param)\b(?:[^*\n]|\*(?!/))*\*/ ?")
_INDENTATION: Final = re.compile(rb"^[ \t]+", re.MULTILINE)
_KEY: Final = re.compile(rb'(?m)(^|, )"?[a-z_][\w.]*"?: (?=")')
_NAMED: Final = re.compile(rb'"(/[^"]*)"')
_PRECACHE: Final = b"const PRECACHE = ([]);"
PARCEL: Final = "/app/parcel.json"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out: ``gzipped`` is None where compressing does not help."""

    url: str
    media_type: str
    content: bytes
    gzipped: bytes | None
    sha256: str

    @property
    def tag(self) -> str:
        """Return what tells this version of the file from another: 40 bits of its hash."""
        return self.sha256[:10]

    @property
    def wire_octets(self) -> int:
        """Return what a browser that takes gzip receives as the body."""
        return len(self.content if self.gzipped is None else self.gzipped)


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file of the app by its URL path."""

    by_url: Mapping[str, Asset]
    import_map_hashes: tuple[str, ...]

    @property
    def precached(self) -> tuple[Asset, ...]:
        """Return what the service worker may keep on the device: all but itself, its parcel and the lab phone."""
        left_out = {_url(name) for name in LAB_FILES} | {"/sw.js", PARCEL}
        return tuple(asset for url, asset in sorted(self.by_url.items()) if url not in left_out)

    @property
    def first_visit_octets(self) -> int:
        """Return what a first visit receives in bodies until the whole app is on the device."""
        named = _named_by_page(self)
        one_by_one = [one for one in self.precached if one.url in named]
        return sum(one.wire_octets for one in (*one_by_one, self.by_url[PARCEL], self.by_url["/sw.js"]))


def load_assets(static: Path = STATIC) -> Assets:
    """Read the app's files.

    Raises:
        ValueError: the service worker has no place for the precache list.
    """
    files = {
        path.relative_to(static).as_posix(): _without_comments(path, static)
        for path in sorted(static.rglob("*"))
        if path.suffix in _TYPES
    }
    by_url = {_url(name): _asset(name, content) for name, content in files.items() if name != "sw.js"}
    maps = [found.group(1) for content in files.values() for found in _IMPORT_MAP.finditer(content)]
    hashes = tuple(sorted({b64encode(hashlib.sha256(text).digest()).decode() for text in maps}))
    app = Assets(MappingProxyType(by_url), hashes)
    precache = json.dumps([[asset.url, asset.tag] for asset in app.precached], separators=(",", ":")).encode()
    worker = files["sw.js"]
    if worker.count(_PRECACHE) != 1:
        raise ValueError("sw.js has no single line that takes the precache list")
    worker = worker.replace(_PRECACHE, b"const PRECACHE = " + precache + b";")
    parcel = Asset(PARCEL, "application/json", *_packed(_parcel(app)))
    return Assets(MappingProxyType({**by_url, PARCEL: parcel, "/sw.js": _asset("sw.js", worker)}), hashes)


def _without_comments(path: Path, static: Path) -> bytes:
    """Return what is sent: scripts of ours without whole lines of comment, types in comments, and indentation.

    In a template of ours, white space with a line's end in it never counts (htm drops it).
    """
    content = path.read_bytes()
    if path.suffix != ".js" or path.parent.name == "vendor":
        return content
    content = _COMMENT_LINES.sub(lambda found: b"\n" * found.group().count(b"\n"), content)
    content = _INDENTATION.sub(b"", _TYPE_COMMENT.sub(b"", content))
    return _values_alone(content) if _url(path.relative_to(static).as_posix()) in ON_DEMAND else content


def _values_alone(texts: bytes) -> bytes:
    """Return a second language's texts as a list: its keys are those of English, in the same order."""
    head, _, body = _KEY.sub(rb"\1", texts).partition(b"export default {")
    return head + b"export default [" + body.replace(b"\n};", b"\n];")


def _named_by_page(app: Assets) -> frozenset[str]:
    """Return what the first page fetches by itself, with the page."""
    page = app.by_url.get("/")
    return frozenset({"/"} | ({url.decode() for url in _NAMED.findall(page.content)} if page else set()))


def _parcel(app: Assets) -> bytes:
    """Return the scripts that the first page does not fetch: by their URL, the tag and the text of each."""
    alone = _named_by_page(app) | ON_DEMAND
    scripts = [one for one in app.precached if one.url.endswith(".js") and one.url not in alone]
    return json.dumps({one.url: [one.tag, one.content.decode()] for one in scripts}, ensure_ascii=False).encode()


def _url(name: str) -> str:
    if name == "lab.html":
        return "/lab"
    return PAGES.get(name, PREFIX + name)


def _asset(name: str, content: bytes) -> Asset:
    url = "/sw.js" if name == "sw.js" else _url(name)
    return Asset(url, _TYPES[Path(name).suffix], *_packed(content))


def _packed(content: bytes) -> tuple[bytes, bytes | None, str]:
    compressed = gzip.compress(content, 9, mtime=0)
    packed = compressed if len(compressed) < len(content) else None
    return content, packed, hashlib.sha256(content).hexdigest()
