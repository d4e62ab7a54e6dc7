"""What the app costs, measured in the browser on an emulated slow phone, and printed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, Response

from tests.browser.app.conftest import Kswifi
from tests.support.app_page import AppPage, device

# Lighthouse's slow 4G, and a phone four times slower than this machine.
SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 1_638_400 / 8, "uploadThroughput": 750_000 / 8}
WATCH = """() => {
  window.seen = { lcp: 0, cls: 0, inp: 0 };
  const watch = (type, take, more) => new PerformanceObserver((list) => list.getEntries().forEach(take))
    .observe({ type, buffered: true, ...more });
  watch('largest-contentful-paint', (one) => (seen.lcp = one.startTime));
  watch('layout-shift', (one) => one.hadRecentInput || (seen.cls += one.value));
  watch('event', (one) => one.interactionId && (seen.inp = Math.max(seen.inp, one.duration)),
    { durationThreshold: 16 });
}"""


def throttle(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return session


@dataclass(frozen=True)
class Visit:
    """What a first visit, the next one and some clicks came to; times in milliseconds."""

    first_route_octets: int
    lcp: float
    interactive: float
    again: float
    inp: float
    cls: float

    @property
    def fast(self) -> bool:
        return self.lcp <= 2500 and self.interactive <= 5000 and self.again <= 1000 and self.inp <= 200


def busy_seconds(session: CDPSession) -> float:
    """Return how long the page's main thread has been on the processor: time of other processes does not count."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def repeat_visit(app: AppPage, slow: CDPSession) -> tuple[float, list[str]]:
    """Visit again: all files are on the device, so that only the processor counts.

    Returns:
        The milliseconds on a phone four times slower than this machine, and the app's files that were fetched.
    """
    fetched: list[str] = []

    def note(response: Response) -> None:
        if response.url.startswith(app.origin) and "/api/" not in response.url and not response.from_service_worker:
            fetched.append(response.url)

    app.page.on("response", note)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    slow.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = busy_seconds(slow)
    app.page.reload()
    app.page.get_by_role("link", name="Make an account").wait_for()
    after = busy_seconds(slow)
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return 4000 * (after - before if after >= before else after), fetched


def visit(app: AppPage) -> Visit:
    page = app.page
    slow = throttle(page)
    # The service worker comes after the first screen; keep it out of the first route's figures.
    page.add_init_script(f"({WATCH})()")
    page.goto(app.origin)
    page.get_by_role("link", name="Make an account").wait_for()
    interactive = float(page.evaluate("performance.now()"))
    first_route = page.evaluate(
        """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
          .filter((one) => !one.name.includes('/api/') && one.startTime < performance.now())
          .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
    )
    page.wait_for_timeout(500)
    seen: dict[str, Any] = page.evaluate("seen")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("caches.keys().then((all) => all.length === 1)")
    again, fetched = repeat_visit(app, slow)
    assert fetched == [], "a repeat visit fetches none of the app's files"
    page.wait_for_timeout(300)
    page.get_by_role("link", name="Help", exact=True).click()
    app.heading("Help")
    page.get_by_label("Search").press_sequentially("pause", delay=30)
    page.get_by_text("Can I pause?").click()
    page.get_by_role("link", name="You", exact=True).click()
    app.heading("You")
    page.get_by_role("button", name="Light", exact=True).click()
    page.wait_for_timeout(500)
    after: dict[str, Any] = page.evaluate("seen")
    cls = max(seen["cls"], after["cls"])
    return Visit(first_route, seen["lcp"], interactive, again, after["inp"], cls)


def test_a_first_visit_on_slow_4g_is_small_and_fast_and_the_next_one_faster(
    kswifi: Kswifi, browser: Browser
) -> None:
    """A machine that is busy with other things may be slow once; an app that is slow is so each of three times."""
    visits: list[Visit] = []
    while not visits or (len(visits) < 3 and not visits[-1].fast):
        with device(browser, kswifi.origin) as app:
            visits.append(visit(app))
        print(f"\n{visits[-1]}")
        assert 10_000 < visits[-1].first_route_octets <= 40_000
        assert visits[-1].cls < 0.05
    assert visits[-1].fast, visits


@pytest.fixture
def slow(kswifi: Kswifi, browser: Browser) -> Iterator[AppPage]:
    with device(browser, kswifi.origin) as app:
        yield app


def test_an_api_answer_stays_small(slow: AppPage) -> None:
    sizes: dict[str, int] = {}
    slow.page.on(
        "requestfinished",
        lambda sent: (
            sizes.update({sent.url.partition("/api/v1/")[2]: sent.sizes()["responseBodySize"]})
            if "/api/v1/" in sent.url and "/package" not in sent.url
            else None
        ),
    )
    slow.open().register()
    slow.store()
    slow.open("home").sees("Stored sessions")
    print(f"\nthe largest API answer: {max(sizes.values())} octets of {len(sizes)}")
    assert max(sizes.values()) <= 5_000


def test_it_can_be_installed_and_asks_no_third_party(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        asked: set[str] = set()
        app.page.on("request", lambda sent: asked.add(sent.url.split("/")[2]))
        app.open()
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        session = app.context.new_cdp_session(app.page)
        manifest = session.send("Page.getAppManifest")
        assert manifest["errors"] == []
        problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert [one["errorId"] for one in problems if one["errorId"] != "in-incognito"] == []
        app.register()
        ours = {kswifi.origin.split("/")[2], kswifi.lab_origin.split("/")[2]}
        assert asked <= ours
