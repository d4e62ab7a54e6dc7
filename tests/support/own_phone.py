"""A phone of one's own for the browser tests: no lab phone, no connection type; and the faults of such phones."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page, Route

from tests.support.app_page import AppPage, device

IPHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
ANDROID: Final = (
    "Mozilla/5.0 (Linux; Android 14; TECNO CK7n) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Mobile Safari/537.36"
)
NO_CONNECTION_TYPE: Final = (
    "Object.defineProperty(Navigator.prototype, 'connection', { get: () => undefined, configurable: true })"
)
STORAGE_CLOSED: Final = """IDBFactory.prototype.open = function () {
  const request = new EventTarget();
  request.error = new DOMException("Internal error opening backing store", "UnknownError");
  setTimeout(() => request.onerror && request.onerror(new Event("error")), 10);
  return request; }"""
STORAGE_FULL: Final = (
    "IDBObjectStore.prototype.put = function () { throw new DOMException('full', 'QuotaExceededError') }"
)


@contextmanager
def own_phone(
    browser: Browser, origin: str, *, fault: str = "", user_agent: str = IPHONE, **context: Any
) -> Iterator[AppPage]:
    """Give the app on a phone of one's own, with a script of a fault that its storage has."""
    with device(browser, origin, user_agent=user_agent, **context) as app:
        app.context.add_init_script(NO_CONNECTION_TYPE)
        if fault:
            app.context.add_init_script(fault)
        app.context.route("**/api/v1/environment", _without_lab)
        # The server cannot know which networks are WiFi, as with an operator that has named none.
        app.context.route("**/api/v1/connection", lambda route: route.fulfill(json={"wifi": None}))
        yield app


def _without_lab(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | {"lab_origin": None})


def download(app: AppPage, offer: str = "1GB") -> None:
    """Order an offer where the browser does not tell the connection type."""
    app.choose(offer)
    app.button("Yes, download")


class Lost:
    """The network loses answers: the server has done its work, and the page learns nothing of it."""

    def __init__(self, page: Page, path: str, which: int = 1) -> None:
        self.seen = 0
        self.lost: str | None = None
        self._which = which
        self._context, self._path = page.context, re.compile(path)
        self._context.route(self._path, self._handle)

    def stop(self) -> None:
        """Lose nothing from now on: a later request is not one of the road's."""
        self._context.unroute(self._path, self._handle)

    def _handle(self, route: Route) -> None:
        request = route.request
        if request.url.endswith("/events"):
            route.continue_()
            return
        self.seen += 1
        if self.seen != self._which:
            with suppress(Error):
                route.continue_()
            return
        self.lost = f"{request.method} {request.url.partition('/api/v1/')[2] or request.url}"
        with suppress(Error):  # a road that has ended meanwhile closes its page
            route.fetch()
            route.abort()
