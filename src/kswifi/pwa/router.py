"""The routes of the app's files, and the security headers of its pages.

The Content-Security-Policy allows only what the app needs: no inline script except the import map (by its hash), no
eval, no third party. ``require-trusted-types-for`` blocks plain text in the DOM's injection sinks. Registering the
service worker is such a sink, and the only one that the app uses; it does so through the policy ``kswifi``.
"""

from collections.abc import Mapping
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from kswifi.pwa.assets import LAB_FILES, Asset, Assets, load_assets
from kswifi.pwa.content_coding import IDENTITY, choose_coding

SCREENS: Final = (
    "home",
    "free",
    "choose",
    "progress",
    "activate",
    "session",
    "pass",
    "esim",
    "account",
    "settings",
    "help",
    "venues",
    "device",
    "security",
    "gift",
    "gifts",
    "move",
    "standing",
    "usage",
    "line",
    "limits",
)
"""The app's screens: a link may name one as a path (``/choose``), and the page brings it into its own form."""

_SCREEN_PATHS: Final = tuple(path for name in SCREENS for path in (f"/{name}", f"/{name}/{{id}}"))


def pwa_routes(lab_origin: str | None = None, assets: Assets | None = None) -> list[BaseRoute]:
    """Return the routes of the app. Add them after all other routes of the server.

    Args:
        lab_origin: origin of the lab's control server (``http://127.0.0.1:8081``) in embedded mode. With None there
            is no ``/lab``, and the pages may connect to their own origin only.
        assets: the files; None loads those of the package.
    """
    files = assets or load_assets()
    pages = _page_headers(files, lab_origin)
    lab = {f"/app/{name}" for name in LAB_FILES} | {"/lab"}
    routes: list[BaseRoute] = [
        _route(asset, pages) for url, asset in files.by_url.items() if lab_origin is not None or url not in lab
    ]
    page = files.by_url.get("/")
    if page is not None:
        routes += [_route(page, pages, path) for path in _SCREEN_PATHS]
    return routes


def content_security_policy(assets: Assets, lab_origin: str | None) -> str:
    """Return the Content-Security-Policy of the app's pages; ``lab_origin`` as in ``pwa_routes``."""
    lab = "" if lab_origin is None else f" {lab_origin}"
    frames = lab or " 'none'"
    hashes = "".join(f" 'sha256-{digest}'" for digest in assets.import_map_hashes)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{hashes}",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self'{lab}",
            f"frame-src{frames}",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types kswifi",
        )
    )


def _page_headers(assets: Assets, lab_origin: str | None) -> Mapping[str, str]:
    return {
        "content-security-policy": content_security_policy(assets, lab_origin),
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }


def _route(asset: Asset, page_headers: Mapping[str, str], path: str | None = None) -> Route:
    # The page revalidates each file (a 304 is a few octets); once the service worker runs, it asks for none.
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff", "vary": "accept-encoding"}
    if asset.media_type.startswith("text/html"):
        headers |= page_headers

    async def serve(request: Request) -> Response:
        coding = choose_coding(_field(request, "accept-encoding"), asset.codings)
        if coding is None:
            return Response(status_code=406, headers=headers)
        # Each coding is a separate representation and needs its own strong ETag (RFC 9110, 8.8.3.3).
        etag = f'"{asset.tag}"' if coding == IDENTITY else f'"{asset.tag}.{coding}"'
        about = headers | {"etag": etag}
        if _names_tag(_field(request, "if-none-match"), etag):
            return Response(status_code=304, headers=about)
        if coding != IDENTITY:
            about["content-encoding"] = coding
        body = await run_in_threadpool(asset.brotli) if coding == "br" else asset.body(coding)
        return Response(body, media_type=asset.media_type, headers=about)

    return Route(path or asset.url, serve, methods=["GET"], include_in_schema=False)


def _field(request: Request, name: str) -> str | None:
    """Return a list field of a request, its lines joined by commas; None if the request has none."""
    lines = request.headers.getlist(name)
    return ",".join(lines) if lines else None


def _names_tag(if_none_match: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names a tag, by weak comparison (RFC 9110, 13.1.2)."""
    named = {one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")}
    return etag in named or named == {"*"}
