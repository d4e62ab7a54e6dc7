"""The app where access is poor: over control-only access, where streams are blocked, with little data; and anew."""

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import uvicorn
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from kswifi.pwa.assets import STATIC, load_assets
from kswifi.pwa.router import pwa_routes
from tests.browser.app.conftest import ARGUMENTS, CHROMIUM, Kswifi, running
from tests.support.app_page import AppPage, device


@contextmanager
def through_the_gateway(app: AppPage, kswifi: Kswifi, browser: Browser) -> Iterator[AppPage]:
    """The same person's browser, all of whose traffic goes through the access gateway, loopback's too."""
    told = httpx2.get(f"{kswifi.lab_origin}/phone/proxy", headers={"X-KSWiFi-Lab": "1"}).json()
    at = urlsplit(told["proxy"])
    proxy = {
        "server": f"http://{at.hostname}:{at.port}",
        "username": at.username,
        "password": at.password,
        "bypass": "<-loopback>",
    }
    with device(browser, kswifi.origin, proxy=proxy, storage_state=app.context.storage_state()) as other:
        yield other
        other.page.close()  # from here on it says nothing more
        # The lab's control is not KSWiFi's own origin: it is not reached from here, and the browser says so.
        other.errors[:] = [error for error in other.errors if "/phone' from origin" not in error]


def test_after_the_cut_the_app_loads_over_control_only_and_the_next_session_is_chosen(
    kswifi: Kswifi, browser: Browser
) -> None:
    with device(browser, kswifi.origin) as app:
        app.open().register()
        app.store("3GB")
        app.open("choose").heading("Choose a session")
        app.page.get_by_role("radio", name=re.compile("1GB")).check()
        app.button("Download Session")
        app.heading("Session ready for activation")
        app.activate()
        kswifi.lab("/phone/wifi", {"on": False})
        kswifi.spend(1_100_000_000)
        with through_the_gateway(app, kswifi, browser) as there:
            home = httpx2.get(f"{kswifi.lab_origin}/phone", headers={"X-KSWiFi-Lab": "1"}).json()["home"]
            beyond = there.page.goto(home)
            assert beyond is not None
            assert beyond.status >= 400  # nothing but KSWiFi is reached
            there.open()
            there.sees("Stored sessions")
            there.page.get_by_role("link", name=re.compile("3 GB")).click()
            there.heading("Ready when you are")
            with there.page.expect_response(re.compile(r"/api/v1/sessions/[^/]+/activate$")) as activated:
                there.button("Activate Session")
            assert activated.value.status == 200
            expect(there.page.get_by_text("WAITING FOR THE NETWORK")).to_have_count(0)
        kswifi.lab("/phone/line", {"on": False})
        kswifi.lab("/phone/line", {"on": True})
        kswifi.spend(50_000_000)
        app.open("home")
        app.sees("SESSION ACTIVE")


def test_where_streams_are_blocked_the_app_asks_now_and_then(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.page.clock.install()
        app.context.route("**/api/v1/events", lambda route: route.abort())
        app.open().register()
        app.store()
        asked: list[str] = []
        app.page.on("request", lambda sent: asked.append(sent.url) if sent.url.endswith("/v1/sessions") else None)
        for _ in range(40):  # a busy machine answers late, and the clock of the page is ours
            if len(asked) >= 3:
                break
            app.page.clock.run_for(15_000)
            app.page.wait_for_timeout(150)
        assert len(asked) >= 3


def test_low_data_opens_no_stream_and_asks_once_a_minute(kswifi: Kswifi, browser: Browser) -> None:
    with device(browser, kswifi.origin) as app:
        app.page.clock.install()
        app.open().register()
        app.open("settings").heading("You")
        app.page.get_by_role("switch", name=re.compile("Low-data mode")).check()
        app.page.wait_for_function(
            """() => new Promise((resolve) => { indexedDB.open("kswifi").onsuccess = (opened) => {
            const read = opened.target.result.transaction("kv").objectStore("kv").get("preferences");
            read.onsuccess = () => { opened.target.result.close(); resolve(read.result?.low_data); }; }; })"""
        )
        streams: list[str] = []
        asked: list[str] = []
        app.page.on("request", lambda sent: streams.append(sent.url) if sent.url.endswith("/events") else None)
        app.page.reload()
        app.heading("You")
        app.page.wait_for_timeout(300)
        app.page.on("request", lambda sent: asked.append(sent.url) if sent.url.endswith("/v1/sessions") else None)
        for _ in range(8):
            app.page.clock.run_for(15_000)
            app.page.wait_for_timeout(100)
        assert streams == []
        assert 1 <= len(asked) <= 3


@contextmanager
def serving_files(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None], list[str]]]:
    """The app's files alone, from a folder of the test's own; give the origin, what reads them anew, and a log."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static)
    asked: list[str] = []
    current: list[Starlette] = []

    def read() -> None:
        current[:] = [Starlette(routes=pwa_routes(None, load_assets(static)))]

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope.get("path", ""))
        await current[0](scope, receive, send)

    read()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(serve, http="h11", ws="none", lifespan="off", log_config=None))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    running.start()
    try:
        yield f"http://localhost:{listener.getsockname()[1]}", read, asked
    finally:
        server.should_exit = True
        running.join(20)
        listener.close()


def test_a_new_version_is_offered_and_taken_and_only_what_changed_is_fetched(
    browser: Browser, tmp_path: Path
) -> None:
    with serving_files(tmp_path) as (origin, read_anew, asked), device(browser, origin) as app:
        app.open().heading("Your internet")
        app.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        app.page.wait_for_function("caches.keys().then((all) => all.length === 1)")
        assert "/app/parcel.txt" in asked
        app.page.reload()
        app.heading("Your internet")
        help_screen = tmp_path / "static/js/screens/help.js"
        help_screen.write_text(help_screen.read_text(encoding="utf-8") + "\nconsole.info(2);\n", encoding="utf-8")
        read_anew()
        asked.clear()
        app.page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
        app.sees("A new version is here.")
        before = app.page.evaluate("performance.timeOrigin")
        app.button("Take it")
        app.page.wait_for_function("(before) => performance.timeOrigin !== before", arg=before)
        app.heading("Your internet")
        app.page.wait_for_function("caches.keys().then((all) => all.length === 1)")
        fetched = {path for path in asked if not path.startswith("/api/")}
        assert fetched == {"/sw.js", "/app/js/screens/help.js"}


def test_without_https_it_says_what_it_cannot_do_there_and_downloads_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    name = "kswifi.test"  # browsers trust localhost without HTTPS, and no other name
    arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP {name} 127.0.0.1"]
    with running(tmp_path, name) as system:
        chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
        with device(chromium, system.origin) as app:
            app.open().sees("This page was opened without HTTPS")
            assert app.page.evaluate("[isSecureContext, 'serviceWorker' in navigator]") == [False, False]
            app.register()
            app.open("choose").heading("Choose a session")
            app.sees("so nothing is downloaded here")
            app.page.get_by_role("radio", name=re.compile("1GB")).check()
            expect(app.page.get_by_role("button", name="Download Session")).to_be_disabled()
            app.open("help").heading("Help")
            app.page.get_by_label("Search").fill("without wifi switch")
            app.sees("How do I switch it on without WiFi?")
            # A header that helps only where there is HTTPS: the browser says that it leaves it aside.
            app.errors[:] = [error for error in app.errors if "Cross-Origin-Opener-Policy" not in error]
        chromium.close()
