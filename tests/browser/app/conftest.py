"""A whole KSWiFi for the browser tests: the real server and the real lab on free ports, and Debian's chromium."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, sync_playwright

from kswifi.cli.up import System
from kswifi.lab.children import ChildFailedError

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
_PORTS = ("API", "METRICS", "DIAMETER", "RSP", "LAB", "CONTENT", "PROXY", "ATTACH", "SANDBOX", "CONSOLE")


@dataclass
class Kswifi:
    """A running system, and the lab phone's other hand."""

    system: System
    origin: str
    lab_origin: str

    def lab(self, path: str, body: dict[str, object]) -> dict[str, object]:
        response = httpx2.post(f"{self.lab_origin}{path}", json=body, headers={"X-KSWiFi-Lab": "1"}, timeout=60)
        assert response.status_code == 200, response.text
        answer: dict[str, object] = response.json()
        return answer

    def access(self) -> object:
        """What the network has told the lab phone of its line."""
        return httpx2.get(f"{self.lab_origin}/phone", headers={"X-KSWiFi-Lab": "1"}, timeout=60).json()["access"]

    def spend(self, octets: int) -> dict[str, object]:
        """Have the lab phone fetch so much; it goes over the line when its WiFi is off."""
        return self.lab("/phone/browse", {"octets": octets})


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def running(folder: Path, host: str = "localhost", **settings: str) -> Iterator[Kswifi]:
    """A whole KSWiFi in a folder, by this name, with these settings added to the usual ones."""
    system, origin, lab_origin = _started(folder, host, settings)
    try:
        yield Kswifi(system, origin, lab_origin)
    finally:
        system.stop()


def _started(folder: Path, host: str, settings: dict[str, str], tries: int = 3) -> tuple[System, str, str]:
    """Start it; on other ports where another process took one of ours before we did."""
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    origin = f"http://{host}:{ports['API']}"
    environment = {
        "KSWIFI_DATA_DIR": str(folder / "var"),
        "KSWIFI_PUBLIC_ORIGIN": origin,
        "KSWIFI_REGISTRATIONS_PER_HOUR": "10000",
        "KSWIFI_LOGINS_PER_QUARTER_HOUR": "10000",
        **{f"KSWIFI_{name}_PORT": str(port) for name, port in ports.items()},
        **settings,
    }
    system = System(environment, folder / "log")
    try:
        system.start()
    except ChildFailedError as error:
        system.stop()
        if tries == 1 or "in use" not in error.message:
            raise
        return _started(folder, host, settings, tries - 1)
    return system, origin, f"http://127.0.0.1:{ports['LAB']}"


@pytest.fixture(scope="session")
def kswifi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kswifi]:
    with running(tmp_path_factory.mktemp("kswifi")) as system:
        yield system


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a chromium of the module's own: while it is open, asyncio.run is not possible in this thread."""
    executable = chromium_here()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


def chromium_here() -> str:
    """Return where Debian's chromium is."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing, and with CI=true the browser tests may not be left out")
        pytest.skip("chromium is missing: apt install chromium")
    return CHROMIUM


@pytest.fixture(autouse=True)
def phone_at_home(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins and ends with the lab phone on WiFi and its line off."""
    yield
    if "kswifi" in request.fixturenames:
        running: Kswifi = request.getfixturevalue("kswifi")
        running.lab("/phone/line", {"on": False})
        running.lab("/phone/wifi", {"on": True})
