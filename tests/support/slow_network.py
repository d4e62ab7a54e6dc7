"""A network that is slow and loses packets, between the app and the API; and how long a road takes on it.

The page's own `fetch` waits: half of the round-trip time before a request leaves, half before its answer arrives. A
lost packet is sent again by TCP after its retransmission timeout, so that its request takes so much longer. The lab
phone lies on the person's desk: it is not slow. `python -m tests.support.slow_network 2000 0.1` measures.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.browser.app.conftest import ARGUMENTS, chromium_here, running
from tests.support.app_page import device

RETRANSMISSION_MILLISECONDS: Final = 3000
"""RFC 6298, 2: the smoothed round-trip time and four times its variance, for one of 2 s that hardly varies."""

_SLOW = """([wait, loss, retransmission]) => {
  const real = window.fetch;
  let seed = 7;
  const chance = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  window.sent = [];
  window.fetch = async (path, init = {}) => {
    if (!/^\\/(api|\\.well-known)/.test(path) || path.endsWith("/events")) return real(path, init);
    const span = { name: `${init.method ?? "GET"} ${path}`, began: performance.now() };
    sent.push(span);
    await pause(wait / 2 + (chance() < loss ? retransmission : 0));
    const answer = await real(path, init);
    await pause(wait / 2 + (chance() < loss ? retransmission : 0));
    span.ended = performance.now();
    return answer;
  };
}"""


def make_slow(page: Page, milliseconds: int, loss: float = 0.0) -> None:
    """Make the network of an open page slow, from now on."""
    page.evaluate(_SLOW, [milliseconds, loss, RETRANSMISSION_MILLISECONDS])


def round_trips(page: Page) -> list[str]:
    """Return the longest chain of requests of which each began after the answer to the one before."""
    spans = [one for one in page.evaluate("sent") if "ended" in one]
    longest: dict[int, list[str]] = {}
    for at, one in enumerate(spans):
        before = [longest[earlier] for earlier in range(at) if spans[earlier]["ended"] <= one["began"]]
        longest[at] = [*max(before, key=len, default=[]), one["name"]]
    return max(longest.values(), key=len, default=[])


def measure(milliseconds: int, loss: float, times: int) -> list[float]:
    """Return the seconds from the tap on Download to the session that is ready, of several people."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_here(), args=ARGUMENTS)
        for _ in range(times):
            with device(browser, system.origin) as app:
                app.open().register()
                app.open("choose").heading("Choose a session")
                app.page.wait_for_timeout(1500)
                make_slow(app.page, milliseconds, loss)
                began = time.monotonic()
                app.button("Download Session")
                app.page.get_by_role("heading", name="Session ready for activation").wait_for(timeout=90_000)
                seconds.append(round(time.monotonic() - began, 1))
        browser.close()
    return seconds


if __name__ == "__main__":
    delay, share = int(sys.argv[1]), float(sys.argv[2])
    print(json.dumps({"round_trip_ms": delay, "loss": share, "seconds": measure(delay, share, 3)}))
