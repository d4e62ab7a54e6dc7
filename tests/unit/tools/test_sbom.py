"""The bill of materials is valid CycloneDX, and names exactly what is locked and what is vendored."""

import json
import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import sbom


@pytest.fixture(scope="module")
def bill() -> dict[str, object]:
    return sbom.bill_of_materials()


def test_the_bill_is_valid_by_the_schema_of_cyclonedx(bill: dict[str, object]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps({**bill, "components": [{"name": "x"}]})) is not None


def test_each_locked_package_is_there_with_all_its_hashes_and_nothing_else(bill: dict[str, object]) -> None:
    locked: dict[str, set[str]] = {}
    hashes: set[str] = set()
    for line in sbom.RUNTIME.read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([a-z0-9._-]+)==([^ ;]+)", line):
            hashes = locked.setdefault(f"pkg:pypi/{pin[1]}@{pin[2]}", set())
        if digest := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
            hashes.add(digest[1])
    assert len(locked) > 50
    found = {}
    components = bill["components"]
    assert isinstance(components, list)
    for one in components:
        if one["purl"].startswith("pkg:pypi/"):
            references = one.get("externalReferences", [])
            found[one["purl"]] = {it["content"] for reference in references for it in reference.get("hashes", [])}
    assert found == locked


def test_each_vendored_script_is_there(bill: dict[str, object]) -> None:
    files = {path.stem for path in sbom.VENDOR.glob("*.js")}
    scripts = sbom.vendored_scripts()
    assert {one["name"] for one in scripts} == files
    components = bill["components"]
    assert isinstance(components, list)
    assert all(one in components for one in scripts)


def test_the_bill_names_the_product_and_is_the_same_each_time(bill: dict[str, object]) -> None:
    metadata = bill["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["component"]["name"] == "kswifi"
    assert sbom.bill_of_materials() == bill
    references = [str(one["ref"]) for one in bill["dependencies"]]  # type: ignore[attr-defined] # JSON
    assert len(set(references)) == len(references)


def test_make_sbom_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bill: dict[str, object]
) -> None:
    written = tmp_path / "new" / "bill.json"
    monkeypatch.setattr(sbom, "bill_of_materials", lambda: bill)
    monkeypatch.setattr("sys.argv", ["sbom", "--output", str(written)])
    sbom.main()
    assert json.loads(written.read_text(encoding="utf-8")) == bill
    assert "\nsbom: setup-dev\n\t@$(RUN)/python -m tools.sbom\n" in (sbom.ROOT / "Makefile").read_text(
        encoding="utf-8"
    )
