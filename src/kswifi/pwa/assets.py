"""The app's files: read once at start, hashed, compressed, and listed for the service worker.

Users pay for every kilobyte, which explains the rules:

- Each file is sent minified, and by itself, not in a bundle: an update then fetches only the files that changed.
  The ETag and the service worker's precache list hold a hash of each file, which tells whether it changed.
- esbuild has minified the files before they were committed (`make app`, ``tools/app_minify.py``). Each minified
  file names the SHA-256 of its source. If that is not the hash of the source present, the source is sent instead.
- Of a second language only the texts are sent, without their keys.
- On a first visit the browser fetches the files of the first page one by one. The service worker then fetches all
  other scripts in one file, the parcel, because together they compress better.
"""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import brotli

STATIC: Final = Path(__file__).parent / "static"
MINIFIED: Final = Path(__file__).parent / "minified"
PREFIX: Final = "/app/"
LAB_FILES: Final = frozenset({"lab.html", "lab.css", "js/lab.js", "js/text/lab.js"})
"""Files of the lab phone's page: served in embedded mode only, and never stored on a user's device."""

LANGUAGES: Final = frozenset({"/app/js/text/pcm.js"})
"""Second languages: only their texts are sent, in the order of English."""

ON_DEMAND: Final = LANGUAGES | {
    "/app/js/carry.js",  # for the lab phone alone
    "/app/js/notices.js",
    "/app/js/prove.js",
    "/app/js/reauthenticated.js",
    "/app/js/screens/device.js",
    "/app/js/screens/pass.js",
    "/app/js/screens/gift.js",
    "/app/js/screens/gifts.js",
    "/app/js/screens/limits.js",
    "/app/js/screens/line.js",
    "/app/js/screens/move.js",
    "/app/js/screens/passkey_list.js",
    "/app/js/screens/security.js",
    "/app/js/screens/standing.js",
    "/app/js/screens/usage.js",
    "/app/js/standing.js",
    "/app/js/text/device.js",
    "/app/js/text/gifts.js",
    "/app/js/text/limits.js",
    "/app/js/text/line.js",
    "/app/js/text/move.js",
    "/app/js/text/pass.js",
    "/app/js/text/security.js",
    "/app/js/text/standing.js",
    "/app/js/text/usage.js",
    "/app/js/help/guides.js",
    "/app/js/help/models.js",
    "/app/pictures/samsung.svg",
    "/app/pictures/iphone.svg",
}
"""Files that the service worker keeps only once somebody has asked for them."""

NEVER_KEPT: Final = "/app/pictures/"
"""Below this are files that the browser fetches when the app is installed. Only those on demand are kept."""

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
PARCEL: Final = "/app/parcel.txt"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in the form in which it is sent.

    Attributes:
        url: its path.
        media_type: its Content-Type.
        content: the octets without a content coding.
        gzipped: the same in gzip; None if that is not shorter.
        sha256: the hash of ``content``, in hexadecimal.
    """

    url: str
    media_type: str
    content: bytes
    gzipped: bytes | None
    sha256: str

    @property
    def tag(self) -> str:
        """Return 32 bits of the hash, which identify this version of the file."""
        return self.sha256[:8]

    @property
    def codings(self) -> tuple[str, ...]:
        """Return the content codings in which the file can be sent, the one with the shortest result first."""
        return () if self.gzipped is None else ("br", "gzip")

    def body(self, coding: str) -> bytes:
        """Return the file in one of ``codings``; in any other coding, unchanged."""
        if coding == "br":
            return self.brotli()
        return self.gzipped if coding == "gzip" and self.gzipped is not None else self.content

    def brotli(self) -> bytes:
        """Return the file compressed by Brotli.

        The first call takes up to 0.3 s of CPU and releases the GIL: make it in a thread, when the file is first
        requested. The result is cached while the process runs.
        """
        return _brotli(self.content)

    @property
    def wire_octets(self) -> int:
        """Return the length of the body for a browser that accepts gzip."""
        return len(self.content if self.gzipped is None else self.gzipped)


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file of the app by its URL path, and the hashes of the page's import maps for its security policy."""

    by_url: Mapping[str, Asset]
    import_map_hashes: tuple[str, ...]

    @property
    def precached(self) -> tuple[Asset, ...]:
        """Return the files that the service worker may store: all but itself, the parcel and the lab's page."""
        left_out = {_url(name) for name in LAB_FILES} | {"/sw.js", PARCEL}
        left_out |= {url for url in self.by_url if url.startswith(NEVER_KEPT)} - ON_DEMAND
        return tuple(asset for url, asset in sorted(self.by_url.items()) if url not in left_out)

    @property
    def first_visit_octets(self) -> int:
        """Return what a first visit receives in bodies, in Brotli, until the app is on the device; in octets."""
        named = _named_by_page(self)
        one_by_one = [one for one in self.precached if one.url in named]
        sent = (*one_by_one, self.by_url[PARCEL], self.by_url["/sw.js"])
        return sum(len(one.body((*one.codings, "identity")[0])) for one in sent)


def load_assets(static: Path = STATIC, minified: Path = MINIFIED) -> Assets:
    """Read the app's files, each in its minified form if that was made from the present source.

    Args:
        static: the folder of the sources.
        minified: the folder of esbuild's output, with the same names.
    """
    files = {
        path.relative_to(static).as_posix(): _as_sent(path, path.relative_to(static).as_posix(), minified)
        for path in sorted(static.rglob("*"))
        if path.suffix in _TYPES
    }
    by_url = {_url(name): _asset(name, content) for name, content in files.items() if name != "sw.js"}
    maps = [found.group(1) for content in files.values() for found in _IMPORT_MAP.finditer(content)]
    hashes = tuple(sorted({b64encode(hashlib.sha256(text).digest()).decode() for text in maps}))
    app = Assets(MappingProxyType(by_url), hashes)
    parcel = Asset(PARCEL, "text/plain; charset=utf-8", *_packed(_parcel(app)))
    worker = _asset("sw.js", _version(app, parcel) + files["sw.js"])
    return Assets(MappingProxyType({**by_url, PARCEL: parcel, "/sw.js": worker}), hashes)


def _version(app: Assets, parcel: Asset) -> bytes:
    """Return the statement, put before the service worker's script, that lists the files of this version."""
    version = {
        "precache": [[asset.url, asset.tag] for asset in app.precached],
        "parcel": parcel.tag,
        "onDemand": sorted(ON_DEMAND),
    }
    return b"self.VERSION=" + json.dumps(version, separators=(",", ":")).encode() + b";"


def _as_sent(path: Path, name: str, minified: Path) -> bytes:
    """Return the form of a file that is sent."""
    source = path.read_bytes()
    if path.suffix == ".webmanifest":
        return json.dumps(json.loads(source), ensure_ascii=False, separators=(",", ":")).encode()
    if _url(name) in LANGUAGES:
        return _values_alone(source.decode()).encode()
    return _minified(source, minified / name)


def _minified(source: bytes, path: Path) -> bytes:
    """Return the minified form of a source, or the source itself if no minified file names its hash."""
    if path.is_file():
        made_of, _, content = path.read_bytes().partition(b"\n")
        if made_of == b"/*%s*/" % hashlib.sha256(source).hexdigest().encode():
            return content
    return source


def _values_alone(texts: str) -> str:
    """Return the texts of a second language without their keys, which are those of English in the same order."""
    lines = texts.partition("`")[2].partition("`")[0]
    return "export default[`" + _KEY.sub("", _GROUP.sub("", lines)) + "`];"


def _named_by_page(app: Assets) -> frozenset[str]:
    """Return the URLs of the first page and of the files that it names."""
    page = app.by_url.get("/")
    return frozenset({"/"} | ({url.decode() for url in _NAMED.findall(page.content)} if page else set()))


def _parcel(app: Assets) -> bytes:
    """Return all scripts that the first page does not fetch, each as NUL, its URL, NUL, its content."""
    alone = _named_by_page(app) | ON_DEMAND
    scripts = [one for one in app.precached if one.url.endswith(".js") and one.url not in alone]
    return b"".join(b"\0%s\0%s" % (one.url.encode(), one.content) for one in scripts)


def _url(name: str) -> str:
    if name == "lab.html":
        return "/lab"
    return PAGES.get(name, PREFIX + name)


def _asset(name: str, content: bytes) -> Asset:
    url = "/sw.js" if name == "sw.js" else _url(name)
    media_type = _TYPES[Path(name).suffix]
    if media_type == "image/png":  # compressed already
        return Asset(url, media_type, content, None, hashlib.sha256(content).hexdigest())
    return Asset(url, media_type, *_packed(content))


@lru_cache(maxsize=128)
def _brotli(content: bytes) -> bytes:
    packed: bytes = brotli.compress(content, mode=brotli.MODE_TEXT, quality=11)
    return packed


def _packed(content: bytes) -> tuple[bytes, bytes | None, str]:
    compressed = gzip.compress(content, 9, mtime=0)
    packed = compressed if len(compressed) < len(content) else None
    return content, packed, hashlib.sha256(content).hexdigest()
