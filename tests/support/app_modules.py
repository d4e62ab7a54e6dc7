"""The app's modules on a blank page, without a server, each by itself: as they are sent, or as they are written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from playwright.sync_api import Browser, Page, Route

from kswifi.pwa.assets import PREFIX, STATIC, Asset, load_assets

ORIGIN = "http://localhost"


def files_as_sent() -> Mapping[str, Asset]:
    """Return the app's files by their URL."""
    return load_assets().by_url


def files_as_written() -> Mapping[str, Asset]:
    """Return the same, with our scripts as they lie in the folder."""
    return {
        url: replace(one, content=(STATIC / url.removeprefix(PREFIX)).read_bytes()) if url.endswith(".js") else one
        for url, one in files_as_sent().items()
        if url != "/sw.js"
    }


@contextmanager
def opened_with_modules(browser: Browser, files: Mapping[str, Asset]) -> Iterator[Page]:
    """Give a page that can import them."""

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN) or "/"
        if path == "/blank":
            head = files["/"].content.partition(b"<head>")[2]
            start = head.index(b'<script type="importmap">')
            body = b"<!doctype html>" + head[start : head.index(b"</script>", start) + 9]
            route.fulfill(status=200, content_type="text/html", body=body)
        elif path in files:
            route.fulfill(status=200, content_type=files[path].media_type, body=files[path].content)
        else:
            route.fulfill(status=404)

    context = browser.new_context(locale="en-NG", timezone_id="Africa/Lagos")
    context.route("**/*", serve)
    opened = context.new_page()
    opened.goto(f"{ORIGIN}/blank")
    yield opened
    context.close()
