"""All texts of the app are in one place, in both languages, and each is used."""

import re

import pytest

from kswifi.api.edge.statuses import STATUS_OF_CODE
from kswifi.desk import errors as desk
from kswifi.kernel.errors import statuses_of
from kswifi.pwa.assets import STATIC

# Finds the prefixes of keys that the code composes at run time.
BUILT = re.compile(r"\bt\(`([\w.]*)\$\{")
GIVEN = re.compile(r'"([a-z_]+(?:\.[a-z_0-9]+)*)"')


def texts(language: str) -> dict[str, str]:
    """Return the texts of the app, of its screens on demand, and of the lab by their full keys."""
    group = ""
    found: dict[str, str] = {}
    _, _, lines = (STATIC / f"js/text/{language}.js").read_text(encoding="utf-8").partition("`")
    for line in lines.partition("`")[0].split("\n"):
        key, parted, text = line.strip().partition(" ")
        if parted:
            assert group + key not in found, f"{group}{key} is there twice"
            found[group + key] = text
        elif key:
            group = key
    for path in sorted((STATIC / "js/text").glob("*.js")):
        if path.stem in ("en", "pcm"):
            continue
        _, _, more = path.read_text(encoding="utf-8").partition(f"export const {language} = ")
        pairs = re.findall(r'"([a-z_][\w.]*)":\s*"((?:[^"\\]|\\.)*)"', more.partition("};")[0])
        assert not found.keys() & dict(pairs).keys()
        found |= dict(pairs)
    return found


def code() -> str:
    files = [path for path in (STATIC / "js").rglob("*.js") if path.parent.name != "text"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, naija = texts("en"), texts("pcm")
    assert list(english) == list(naija)  # in the same order, because the second language is sent without its keys
    assert len(english) > 250
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", naija[key])), key
        assert text.count(" | ") == naija[key].count(" | "), key


def test_every_used_text_exists_and_every_existing_text_is_used() -> None:
    source, known = code(), texts("en")
    asked = set(re.findall(r'\bt\(\s*"([\w.]+)"', source))
    assert asked <= known.keys(), asked - known.keys()
    mentioned = set(GIVEN.findall(source)) | asked
    prefixes = set(BUILT.findall(source)) - {""} | {"how.", "alert."}
    idle = [key for key in known if key not in mentioned and not any(key.startswith(one) for one in prefixes)]
    assert idle == []


NOT_FOR_THE_APP = {
    # answers to the operator's monitoring and to payment gateways
    "metrics_not_for_you", "webhook_signature_wrong", "webhook_unreadable", "not_the_gateway_in_use",
    "gateway_not_listed",
    # answers to the desk about a dispute
    "dispute_answered_already", "unknown_dispute",
    # answers to data providers and to USSD gateways
    "provider_webhook_forged", "provider_webhook_unreadable", "unknown_provider_webhook", "unknown_ussd",
}  # fmt: skip
OTHER_DOORS = ((desk, "/api/v1/desk"),)
"""Capabilities that the app does not use yet, and the path at which it would."""


def test_every_code_that_the_app_can_receive_has_a_text_of_its_own() -> None:
    known, called = texts("en"), code()
    others = {code for table, path in OTHER_DOORS if path not in called for code in statuses_of([table])}
    codes = {*STATUS_OF_CODE, "internal_error", "invalid_request", "malformed_json", "line_frozen"}
    expected = codes - (others - {"line_frozen"}) - NOT_FOR_THE_APP
    assert [code for code in sorted(expected) if f"problem.{code}" not in known] == []


FORBIDDEN = re.compile(r"\b(?:record|proof|proves?|ledger|a right|the right to|signed right)\b", re.IGNORECASE)


@pytest.mark.parametrize("language", ["en", "pcm"])
def test_texts_use_plain_words(language: str) -> None:
    known = texts(language)
    assert [key for key, text in known.items() if FORBIDDEN.search(text) and not key.startswith("lab.")] == []


@pytest.mark.parametrize("language", ["en", "pcm"])
def test_the_buttons_have_their_agreed_labels(language: str) -> None:
    said = texts(language)
    assert said["home.download"] == "Download Internet Session"
    assert said["choose.button"] == "Download Session"
    assert said["activate.button"] == "Activate Session"
