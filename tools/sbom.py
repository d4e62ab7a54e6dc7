"""Write the software bill of materials (CycloneDX 1.6, JSON) of what the product runs on. Run by `make sbom`.

The Python packages are those of the lock file ``requirements/runtime.txt``, with the hashes of their archives; the
vendored scripts of the app are those of the table in ``src/kswifi/pwa/static/vendor/README.md``. The same sources
give the same file.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
RUNTIME: Final = ROOT / "requirements/runtime.txt"
VENDOR: Final = ROOT / "src/kswifi/pwa/static/vendor"

_ROW: Final = re.compile(
    r"^\| `[^`]+` \| (?P<name>[^,]+), `[^`]+` \| (?P<version>[^ ]+) \| (?P<licence>[^ ]+) "
    r".*\| `(?P<archive>[0-9a-f]{64})` \|",
    re.MULTILINE,
)


def bill_of_materials() -> dict[str, Any]:
    """Return the bill of materials.

    Raises:
        subprocess.CalledProcessError: cyclonedx-py refused the lock file; its standard error has the reason.
    """
    made = subprocess.run(
        [
            Path(sys.executable).with_name("cyclonedx-py"),
            "requirements",
            RUNTIME,
            "--pyproject",
            ROOT / "pyproject.toml",
            "--spec-version",
            "1.6",
            "--output-reproducible",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    bill: dict[str, Any] = json.loads(made.stdout)
    scripts = vendored_scripts()
    bill["components"] += scripts
    bill["dependencies"] += [{"ref": one["bom-ref"]} for one in scripts]
    return bill


def vendored_scripts() -> list[dict[str, Any]]:
    """Return the components of the scripts of others that the app contains."""
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    return [
        {
            "type": "library",
            "bom-ref": f"vendor-{row['name']}",
            "name": row["name"],
            "version": row["version"],
            "purl": f"pkg:npm/{row['name']}@{row['version']}",
            "licenses": [{"license": {"id": row["licence"]}}],
            "hashes": [{"alg": "SHA-256", "content": row["archive"]}],
        }
        for row in _ROW.finditer(table)
    ]


def main() -> None:
    """Write the file and print its name."""
    parser = argparse.ArgumentParser(description="Write the software bill of materials.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist/kswifi.cdx.json")
    output: Path = parser.parse_args().output
    bill = bill_of_materials()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"make sbom: {len(bill['components'])} components in {output}")


if __name__ == "__main__":
    main()
