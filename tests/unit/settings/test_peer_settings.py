"""The settings of an external SM-DP+ are whole, or the start is refused by the variable that is missing."""

from pathlib import Path
from typing import Any

import pytest

from kswifi.settings import Settings, SettingsInvalidError, load_settings


def _given(folder: Path, **changes: Any) -> dict[str, Any]:
    file = folder / "file.pem"
    file.write_text("x")
    given: dict[str, Any] = {
        "es2_peer_url": "https://smdp.example:8443/base",
        "es2_peer_address": "rsp.example",
        "es2_peer_requester": "2.999.77",
        "es2_peer_certificate": file,
        "es2_peer_key": file,
        "es2_peer_callback_certificate": file,
        "es2_port": 8447,
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def _load(folder: Path, **changes: Any) -> Settings:
    return load_settings(**_given(folder, **changes))


def test_whole_they_name_who_delivers(tmp_path: Path) -> None:
    assert _load(tmp_path).peer_address == "rsp.example"
    assert _load(tmp_path).es2_peer_storage_proof == "por", (
        "the card's own proof, unless the operator says otherwise"
    )
    assert _load(tmp_path, es2_peer_callback_certificate=None, es2_port=None).peer_address == "rsp.example"
    assert load_settings().peer_address is None
    assert load_settings(es2_peer_address="rsp.example").peer_address is None, "our own delivers without a URL"


@pytest.mark.parametrize("name", ["address", "requester", "certificate", "key"])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsInvalidError, match=f"es2_peer_{name} is needed too"):
        _load(tmp_path, **{f"es2_peer_{name}": None})


@pytest.mark.parametrize("name", ["certificate", "key", "ca", "callback_certificate"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsInvalidError, match=f"es2_peer_{name}: there is no file"):
        _load(tmp_path, **{f"es2_peer_{name}": tmp_path / "absent"})


def test_what_it_tells_needs_a_port_and_its_word_needs_to_be_heard(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalidError, match="needs es2_port"):
        _load(tmp_path, es2_port=None)
    assert _load(tmp_path, es2_port=None, es2_on_rsp_port=True).peer_address
    with pytest.raises(SettingsInvalidError, match="needs es2_peer_callback_certificate"):
        _load(tmp_path, es2_peer_callback_certificate=None, es2_peer_storage_proof="provider_status")


@pytest.mark.parametrize(
    "url", ["http://smdp.example", "https://", "https://a@smdp.example", "https://x/?q", "smdp"]
)
def test_only_https_is_called(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsInvalidError):
        _load(tmp_path, es2_peer_url=url)
