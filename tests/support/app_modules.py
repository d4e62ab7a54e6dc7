"""The app's modules on a blank page, without a server: as they are sent, each by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, Route

from kswifi.pwa.assets import Assets

ORIGIN = "http://localhost"


@contextmanager
def opened_with_modules(browser: Browser, assets: Assets) -> Iterator[Page]:
    """Give a page that can import them."""
    files = assets.by_url

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
