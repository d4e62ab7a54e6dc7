"""What can be wrong with a session package, each with its own words."""

from kswifi.kernel.errors import KswifiError


class PackageError(KswifiError):
    """A session package that cannot be trusted."""

    code = "package_refused"


class NotAPackageError(PackageError):
    """The file does not begin like a session package."""

    code = "not_a_package"


class PackageVersionError(PackageError):
    """A version of the format that this reader does not know."""

    code = "package_version_unknown"


class PackageCutShortError(PackageError):
    """Octets are missing at the end."""

    code = "package_cut_short"


class SurplusOctetsError(PackageError):
    """Octets follow the last chunk, or the file is larger than any package."""

    code = "package_surplus_octets"


class ManifestDamagedError(PackageError):
    """The manifest or its signature was changed."""

    code = "package_manifest_damaged"


class ChunkDamagedError(PackageError):
    """A chunk is not the one that the manifest lists."""

    code = "package_chunk_damaged"


class UnknownKeyError(PackageError):
    """Signed with a key that is not among those trusted."""

    code = "package_unknown_key"


class AnotherCardError(PackageError):
    """The package was made for another card."""

    code = "package_for_another_card"


class PackageExpiredError(PackageError):
    """The package's validity is over."""

    code = "package_expired"
