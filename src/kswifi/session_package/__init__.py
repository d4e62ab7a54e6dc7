"""The session package: the file that a phone downloads. The server builds it, the phone verifies it."""

from kswifi.session_package.codec import (
    Manifest,
    PackageContents,
    VerifiedPackage,
    build_package,
    read_key_set,
    verify_package,
    verify_package_file,
)
from kswifi.session_package.errors import PackageError

__all__ = [
    "Manifest",
    "PackageContents",
    "PackageError",
    "VerifiedPackage",
    "build_package",
    "read_key_set",
    "verify_package",
    "verify_package_file",
]
