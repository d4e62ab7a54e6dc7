"""What can be wrong with a profile package."""

from kswifi.kernel.errors import KswifiError


class ProfilePackageError(KswifiError):
    """Octets that are no interoperable profile package."""

    code = "malformed_profile_package"
