"""Errors of session packages: PackageError and its kinds, one for each reason of refusal."""

from kswifi.kernel.errors import KswifiError


class PackageError(KswifiError):
    """The session package is refused; each subclass names a reason."""

    code = "package_refused"


class NotAPackageError(PackageError):
    """The file does not begin with the magic number of a session package."""

    code = "not_a_package"


class PackageVersionError(PackageError):
    """The package has a version of the format that this reader does not know."""

    code = "package_version_unknown"


class PackageCutShortError(PackageError):
    """Octets are missing at the end."""

    code = "package_cut_short"


class SurplusOctetsError(PackageError):
    """Octets follow the last chunk, or the file is larger than a package may be."""

    code = "package_surplus_octets"


class ManifestDamagedError(PackageError):
    """The manifest or its signature was changed, or it is not a package's manifest."""

    code = "package_manifest_damaged"


class ChunkDamagedError(PackageError):
    """A chunk is not the one that the manifest lists, or the record in it does not match the manifest."""

    code = "package_chunk_damaged"


class UnknownKeyError(PackageError):
    """The package is signed with a key that is not among the trusted ones."""

    code = "package_unknown_key"


class AnotherCardError(PackageError):
    """The package was made for another card."""

    code = "package_for_another_card"


class PackageExpiredError(PackageError):
    """The package is no longer valid."""

    code = "package_expired"
