"""The continuous copy of a running server: what was answered before its instant survives the loss of the disk."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from kswifi.data_directory.backup_record import COPY, read_backup_record
from kswifi.data_directory.copying.layout import read_manifest
from kswifi.lab.ports import free_ports

PORTS = ("api", "metrics", "diameter", "rsp", "lab", "content", "proxy", "attach", "sandbox")


def run(environment: dict[str, str], *words: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kswifi", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def start(environment: dict[str, str], *words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "kswifi", *words], env=environment)


def wait_for_server(port: str) -> None:
    for _ in range(300):
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server is not ready")


def sign_up(client: httpx2.Client, number: int) -> None:
    body = {"identifier": f"guest{number}@example.ng", "password": "three warm rivers"}
    answer = client.post("/api/v1/accounts", json=body)
    assert answer.status_code == 201, answer.text


def test_accounts_that_were_answered_survive_the_loss_of_the_disk(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KSWIFI_")}
    environment |= {f"KSWIFI_{name.upper()}_PORT": str(port) for name, port in free_ports(PORTS).items()}
    environment |= {"KSWIFI_DATA_DIR": str(tmp_path / "var"), "KSWIFI_REGISTRATIONS_PER_HOUR": "1000"}
    copy = tmp_path / "other-disk"
    server = start(environment, "serve")
    copier: subprocess.Popen[bytes] | None = None
    answered: dict[int, datetime] = {}
    try:
        wait_for_server(environment["KSWIFI_METRICS_PORT"])
        copier = start(environment, "copy", str(copy), "--every-seconds", "0.1")
        address = f"http://127.0.0.1:{environment['KSWIFI_API_PORT']}"
        with httpx2.Client(base_url=address, trust_env=False, timeout=30) as client:
            number = 0
            while (manifest := read_manifest(copy)) is None or len(answered) < 10:
                sign_up(client, number)
                answered[number] = datetime.now(UTC)
                number += 1
            last = answered[number - 1]
            while manifest.at < last:  # the copier goes on by itself
                time.sleep(0.05)
                manifest = read_manifest(copy) or manifest
            sign_up(client, number)
        server.kill()
        copier.kill()
        copier.wait()
    finally:
        for process in (server, copier):
            if process is not None:
                process.kill()
                process.wait()
    assert read_backup_record(tmp_path / "var", COPY) is not None
    shutil.rmtree(tmp_path / "var")
    found = json.loads(run(environment, "restore-drill", str(copy), "--in", str(tmp_path), "--json"))
    assert found["wrong"] == []
    run(environment, "restore", str(copy), "--latest", status=1)  # not confirmed
    assert not (tmp_path / "var").exists()
    assert "restored into" in run(environment, "restore", str(copy), "--latest", "--yes")
    server = start(environment, "serve")
    try:
        wait_for_server(environment["KSWIFI_METRICS_PORT"])
        with httpx2.Client(base_url=address, trust_env=False, timeout=30) as client:
            for number in answered:
                body = {"identifier": f"guest{number}@example.ng", "password": "three warm rivers"}
                assert client.post("/api/v1/logins", json=body).status_code == 201, number
    finally:
        server.terminate()
        assert server.wait(60) == 0
