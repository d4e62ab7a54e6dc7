"""Programs of Debian packages that some tests need."""

import os
import shutil

import pytest


def required_program(name: str, package: str) -> str:
    """Return the path of a program; skip the test where it is not installed, and fail it in CI."""
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        words = f"{name} is missing: apt install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return program
