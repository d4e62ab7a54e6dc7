"""The examples run as they stand, and so does a server that takes Paystack for its gateway."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from kswifi.lab.ports import free_ports
from tests.support.resold_system import resold_system
from tests.support.system import WholeSystem, running_system

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words: str, **environment: str) -> str:
    command = ["sh", *words] if words[0].endswith(".sh") else [sys.executable, *words]
    done = subprocess.run(
        [command[0], str(EXAMPLES / command[1]), *command[2:]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_listed_and_run_here() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    here = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        if path.suffix in (".py", ".sh") and path.name != "client.py":
            assert f"`{path.name}`" in listed
            assert f'"{path.name}"' in here


def test_order(system: WholeSystem) -> None:
    told = run("order.sh", system.origin, "free-3mb").splitlines()
    assert told[0] == told[1]
    assert told[2].startswith("downloaded: ")


def test_buy(system: WholeSystem, tmp_path: Path) -> None:
    told = run("buy.py", system.origin, str(tmp_path / "receipt.pdf"), "--pay")
    assert "SANDBOX, no money moves" in told
    assert "80000 kobo" in told
    assert "without limit" in told
    assert (tmp_path / "receipt.pdf").read_bytes().startswith(b"%PDF-")


def test_give_back(system: WholeSystem) -> None:
    told = run("give_back.py", system.origin, "--pay")
    assert "refunded: 80000 kobo" in told
    assert "a pass runs: False" in told


async def test_resell(tmp_path: Path) -> None:
    async with resold_system(tmp_path, "esim_access") as (system, provider):
        await asyncio.to_thread(system.start)
        lines = (await asyncio.to_thread(run, "resell.py", system.origin, provider.origin)).splitlines()
    assert lines[0].startswith("bought: 1073741824 octets, order ")
    assert lines[1].startswith("scan this on the phone: LPA:1$")
    assert lines[2] == "used at the provider: 1073741824 octets"
    assert lines[3] == "used: 1000000000 octets, beyond the session: 73741824"
    assert lines[4] == "the provider reports: depleted"


def test_follow_events(system: WholeSystem, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies"
    with httpx2.Client(base_url=system.origin, trust_env=False, verify=False) as client:
        body = {"identifier": f"{os.urandom(6).hex()}@example.ng", "password": os.urandom(12).hex()}
        csrf = client.post("/api/v1/accounts", json=body).json()["csrf_token"]
        headers = {"X-CSRF-Token": csrf, "Idempotency-Key": os.urandom(8).hex()}
        client.post("/api/v1/sessions", json={"offer_id": "free-3mb"}, headers=headers).raise_for_status()
        host = client.base_url.host
        token = client.cookies["kswifi_login"]
    cookies.write_text(f"# Netscape HTTP Cookie File\n{host}\tFALSE\t/\tFALSE\t0\tkswifi_login\t{token}\n")
    command = ["sh", str(EXAMPLES / "follow_events.sh"), system.origin, str(cookies)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        try:
            assert any("session_state_changed" in line for line in following.stdout)
        finally:
            following.kill()


@contextmanager
def rehearsal_gateway(port: int, api_port: int) -> Iterator[str]:
    """Give `kswifi payments rehearse`, as an operator runs it."""
    webhook = f"http://127.0.0.1:{api_port}/webhooks/paystack"
    command = [sys.executable, "-m", "kswifi", "payments", "rehearse", "--port", str(port), "--webhook", webhook]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        try:
            said = gateway.stdout.readline()
            assert said.startswith("SANDBOX: answers as Paystack does")
            yield f"http://127.0.0.1:{port}"
        finally:
            gateway.terminate()
            gateway.wait(20)


@pytest.fixture
def with_paystack(tmp_path: Path) -> Iterator[tuple[WholeSystem, str]]:
    ports = free_ports(("gateway", "api"))
    settings = {
        "api_port": ports["api"],
        "paystack_secret_key": "sk_test_rehearsal_0001",
        "paystack_url": f"http://127.0.0.1:{ports['gateway']}",
        "payments_email": "pay@example.ng",
    }
    with (
        rehearsal_gateway(ports["gateway"], ports["api"]) as gateway,
        running_system(tmp_path, **settings) as system,
    ):
        yield system, gateway


def test_webhooks_of_paystack_rehearsed(with_paystack: tuple[WholeSystem, str]) -> None:
    system, gateway = with_paystack
    assert "sandbox" not in system.children["lab"].ready  # it serves no more
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{system.environment['KSWIFI_SANDBOX_PORT']}/v1/health")
    told = run("rehearse_webhooks.py", system.origin, gateway).splitlines()
    assert told[0] == "without a signature: 401"
    assert told[1] == "signed with another key: 401"
    assert told[2] == "changed after signing: 401"
    assert told[3] == "sent before the payment: 204 pending"
    assert told[4] == "paid, notified and verified: settled"
    assert told[5] == "replayed 1000 times: 204"
    assert told[6].startswith("passes: 1 until ")
    answer = httpx2.post(f"{system.origin}/webhooks/sandbox", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_the_gateway_in_use")
