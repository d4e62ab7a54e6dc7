"""The app's files: read once, hashed, compressed once, and listed for the service worker.

Nothing is bundled or renamed: on the way to the user comments and white space are left out (``squeeze``), and the
keys of a second language's texts. The hash of a file is its ETag and its entry in the precache list, so that an
update fetches only the files that changed: those who use this pay for every kilobyte. The first page's files come
one by one, as browsers fetch them; the service worker of a first visit gets all other scripts in one parcel, where
gzip sees what they have in common.
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

from kswifi.pwa.squeeze import squeeze_page, squeeze_script, squeeze_style

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
_GROUP: Final = re.compile(r"(?m)^\s*[a-z_]+\.\n")
_KEY: Final = re.compile(r"(?m)^\s*[\w.]+ ")
_NAMED: Final = re.compile(rb'"(/[^"]*)"')
_PRECACHE: Final = b"const PRECACHE=([]);"
_PARCEL_TAG: Final = b'const PARCEL="";'
PARCEL: Final = "/app/parcel.txt"


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
        """Return what tells this version of the file from another: 32 bits of its hash."""
        return self.sha256[:8]

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
        ValueError: the service worker has no place for the precache list, or for its parcel's tag.
    """
    files = {
        path.relative_to(static).as_posix(): _squeezed(path, static)
        for path in sorted(static.rglob("*"))
        if path.suffix in _TYPES
    }
    by_url = {_url(name): _asset(name, content) for name, content in files.items() if name != "sw.js"}
    maps = [found.group(1) for content in files.values() for found in _IMPORT_MAP.finditer(content)]
    hashes = tuple(sorted({b64encode(hashlib.sha256(text).digest()).decode() for text in maps}))
    app = Assets(MappingProxyType(by_url), hashes)
    precache = json.dumps([[asset.url, asset.tag] for asset in app.precached], separators=(",", ":")).encode()
    parcel = Asset(PARCEL, "text/plain; charset=utf-8", *_packed(_parcel(app)))
    worker = files["sw.js"]
    for place, value in ((_PRECACHE, precache), (_PARCEL_TAG, f'"{parcel.tag}"'.encode())):
        if worker.count(place) != 1:
            raise ValueError(f"sw.js has not once: {place.decode()}")
        worker = worker.replace(place, place.partition(b"=")[0] + b"=" + value + b";")
    return Assets(MappingProxyType({**by_url, PARCEL: parcel, "/sw.js": _asset("sw.js", worker)}), hashes)


def _squeezed(path: Path, static: Path) -> bytes:
    """Return what is sent of a file."""
    if path.parent.name == "vendor" or path.suffix in (".png", ".svg"):
        return path.read_bytes()
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".webmanifest":
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode()
    if _url(path.relative_to(static).as_posix()) in ON_DEMAND:
        text = _values_alone(text)
    squeeze = {".js": squeeze_script, ".css": squeeze_style, ".html": squeeze_page}[path.suffix]
    return squeeze(text).encode()


def _values_alone(texts: str) -> str:
    """Return a second language's texts as a list: its keys are those of English, in the same order."""
    head, opening, body = texts.partition("export default `")
    return head + opening.replace("`", "[`") + _KEY.sub("", _GROUP.sub("", body)).replace("`;", "`];")


def _named_by_page(app: Assets) -> frozenset[str]:
    """Return what the first page fetches by itself, with the page."""
    page = app.by_url.get("/")
    return frozenset({"/"} | ({url.decode() for url in _NAMED.findall(page.content)} if page else set()))


def _parcel(app: Assets) -> bytes:
    """Return the scripts that the first page does not fetch: before each its URL, and NUL around both."""
    alone = _named_by_page(app) | ON_DEMAND
    scripts = [one for one in app.precached if one.url.endswith(".js") and one.url not in alone]
    return b"".join(b"\0%s\0%s" % (one.url.encode(), one.content) for one in scripts)


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
