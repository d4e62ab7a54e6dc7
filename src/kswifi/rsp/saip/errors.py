"""Errors of profile packages."""

from kswifi.kernel.errors import KswifiError


class ProfilePackageError(KswifiError):
    """The octets are not a valid interoperable profile package."""

    code = "malformed_profile_package"
