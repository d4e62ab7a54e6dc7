"""A damaged file of the local CA."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import FastAPI

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.parts.web.lan import lan_servers
from kswifi.data_directory.layout import INSTALLATION_FILE_DAMAGED, Installation
from kswifi.settings import load_settings
from tests.support.clocks import ManualClock
from tests.support.databases import START
from tests.support.refusals import refused


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_local_ca_is_refused_and_left(tmp_path: Path, damage: bytes) -> None:
    installation = Installation(tmp_path)
    installation.keys_dir.mkdir()
    installation.lan_ca.write_bytes(damage)
    settings = load_settings(lan_address="192.168.7.7", data_dir=tmp_path)
    context: Any = SimpleNamespace(settings=settings, installation=installation, clock=ManualClock(START))
    with refused(INSTALLATION_FILE_DAMAGED, match=r"lan-ca\.pem is damaged .* Move it away"):
        lan_servers(cast("Context", context), FastAPI())
    assert installation.lan_ca.read_bytes() == damage
