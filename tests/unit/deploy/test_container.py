"""The image recipe and the compose file agree with the settings; no image is built here."""

import os
import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from kswifi.bootstrap.checks import check_names
from kswifi.settings import PREFIX, Settings, load_settings

CONTAINER: Final = Path(__file__).resolve().parents[3] / "deploy" / "container"
NAMES: Final = {"KSWIFI_NAME": "wifi.example.ng", "KSWIFI_SMDP_NAME": "smdp.example.ng"}


def test_a_server_starts_with_the_environment_of_image_and_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [it for it in os.environ if it.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    image = (CONTAINER / "Containerfile").read_text().partition("\nENV ")[2].partition("\nUSER")[0]
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    environment = dict(re.findall(r"(KSWIFI_\w+)=(\S+)", image))
    own = (CONTAINER / "kswifi.env.example").read_text()
    environment |= dict(re.findall(r"^(KSWIFI_\w+)=(.+)$", own, re.MULTILINE))
    for name, value in compose["services"]["kswifi"]["environment"].items():
        environment[name] = re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: NAMES[found[1]], value)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    check_names(settings, settings.smdp_name, page=True)
    assert settings.origin == "https://wifi.example.ng"
    assert not settings.hides_clients
    assert settings.mode == "own-core"


def test_the_ports_and_the_volume_are_those_of_the_settings() -> None:
    recipe = (CONTAINER / "Containerfile").read_text()
    fields = Settings.model_fields
    exposed = {int(port) for port in re.findall(r"\d+", recipe.partition("\nEXPOSE ")[2].partition("\n")[0])}
    assert exposed == {fields[f"{name}_port"].default for name in ("api", "rsp", "diameter", "metrics")}
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    service = compose["services"]["kswifi"]
    assert "data:/var/lib/kswifi" in service["volumes"]
    assert "KSWIFI_DATA_DIR=/var/lib/kswifi" in recipe
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(compose["volumes"]) == {"data", "caddy"}


def test_every_copied_path_exists() -> None:
    root = CONTAINER.parents[1]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (CONTAINER / "Containerfile").read_text(), re.MULTILINE)
    assert copied
    assert [path for line in copied for path in line.split() if not (root / path).exists()] == []
