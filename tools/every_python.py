"""Run the unit tests on every Python from 3.11 to 3.15 that this machine has. Run by `make soak`.

Each Python gets a virtual environment with the locked packages in .venv/pythons, which the next run uses again.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = tuple(f"3.{minor}" for minor in range(11, 16))
_UV = ROOT / ".venv" / "bin" / "uv"


def pythons_here() -> dict[str, str]:
    """Return the path of each supported Python by its version; those on PATH come before those of pyenv."""
    found: dict[str, str] = {}
    names = [*(f"python{version}" for version in VERSIONS), "python3"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    in_path = [path for name in names if (path := shutil.which(name)) is not None]
    for path in [*in_path, *(str(path) for path in sorted(pyenv.glob("versions/3.*/bin/python3")))]:
        asked = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if version in VERSIONS:
            found.setdefault(version, path)
    return found


def environment_of(version: str, python: str) -> Path:
    """Make or update a virtual environment with the locked packages; return the path of its Python."""
    folder = ROOT / ".venv" / "pythons" / version
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(folder)}
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        environment["UV_SYSTEM_CERTS"] = "true"
    inside = folder / "bin" / "python"
    steps: list[list[str | Path]] = [
        [_UV, "pip", "install", "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "uv.txt"],
        [_UV, "pip", "install", "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "dev.txt"],
        [_UV, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT],
    ]
    if not inside.exists():
        steps.insert(0, [_UV, "venv", "--quiet", "--python", python, folder])
    for step in steps:
        subprocess.run(step, env=environment, check=True)
    return inside


def main(arguments: list[str]) -> int:
    """Run the unit tests, or the tests named by the arguments, on each Python; return 1 if any run failed."""
    found = pythons_here()
    failed = []
    for version, python in found.items():
        print(f"unit tests on Python {version} ({python})", flush=True)
        inside = environment_of(version, python)
        pytest = [str(inside), "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
        if subprocess.run([*pytest, *(arguments or ["tests/unit"])], cwd=ROOT, check=False).returncode != 0:
            failed.append(version)
    absent = [version for version in VERSIONS if version not in found]
    print(f"Python {', '.join(found)}: {'failed on ' + ', '.join(failed) if failed else 'passed'}")
    print(f"not on this machine: {', '.join(absent) or 'none'}")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
