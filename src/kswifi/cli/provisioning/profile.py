"""`kswifi profile ...`: show, check and compare profile packages (SAIP) in files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kswifi.kernel.errors import KswifiError

if TYPE_CHECKING:
    from kswifi.rsp.saip.package import ProfileElement

profile_app = typer.Typer(
    help="Profile packages: interoperable profiles before they are bound.", no_args_is_help=True
)

PackageFile = Annotated[Path, typer.Argument(help="An unprotected profile package (DER).")]
_UNREADABLE: Final = 2
_SAFE_LEVEL: Final = 0x12  # TS 102 225, SPI: a cryptographic checksum, and a counter that must be higher


@profile_app.command()
def show(file: PackageFile) -> None:
    """Show the elements of a package, without keys and codes. Exit status 2 if it is no profile package."""
    from kswifi.rsp.saip.describe import describe_element, describe_header
    from kswifi.rsp.saip.elements import ProfileHeader

    package = _read(file)
    print("\n".join(describe_header(ProfileHeader.decode(package[0].value))))
    for element in package:
        print(describe_element(element))


@profile_app.command()
def lint(file: PackageFile) -> None:
    """Look for errors in a package. Exit status 0: none found; 1: some found; 2: it is no profile package."""
    found = [*_findings(file.read_bytes(), _read(file))]
    for line in found:
        print(line)
    if not found:
        print(f"{file}: nothing to say against it")
    raise typer.Exit(1 if any(line.startswith("error") for line in found) else 0)


@profile_app.command()
def diff(file: PackageFile, other: PackageFile) -> None:
    """Show which elements and files differ. Exit status 0: none; 1: some; 2: one is no profile package."""
    from kswifi.rsp.saip.describe import differences

    old, new = _read(file), _read(other)
    lines = list(differences(old, new))
    for line in lines:
        print(line)
    raise typer.Exit(1 if lines else 0)


def _read(file: Path) -> "tuple[ProfileElement, ...]":
    from kswifi.rsp.saip.package import read_package

    try:
        return read_package(file.read_bytes())
    except KswifiError as error:
        typer.echo(f"kswifi: {file}: {error.message}", err=True)
        raise typer.Exit(_UNREADABLE) from None


def _findings(octets: bytes, package: "tuple[ProfileElement, ...]") -> list[str]:
    """Return findings: errors keep a card from installing the package, warnings are unwise choices."""
    from kswifi.euicc.errors import ProfileRefusedError
    from kswifi.euicc.profiles.loader import build_profile_state
    from kswifi.rsp.saip.describe import describe_element, is_template
    from kswifi.rsp.saip.elements import ProfileHeader, uses_test_algorithm
    from kswifi.rsp.saip.files import TemplateFiles

    found = []
    for element in package:
        try:
            describe_element(element)
        except KswifiError as error:
            found.append(f"error    {element.kind}: {error.message}")
    if found:
        return found
    header = ProfileHeader.decode(package[0].value)
    try:
        build_profile_state(octets, b"")
    except ProfileRefusedError as error:
        where = "" if error.element is None else f" (element {error.element})"
        found.append(f"error    our card refuses it: {error.message}{where}: {error.status.name.lower()}")
    used = {TemplateFiles.decode(each.kind, each.value).template_oid for each in package if is_template(each)}
    found += [
        f"warning  the header does not list the template {oid}, which an element uses"
        for oid in sorted(used - set(header.mandatory_templates))
    ]
    if uses_test_algorithm(package):
        found.append(
            "note     it uses the USIM test algorithm, which protects nothing: no network in service takes it"
        )
    return found + _unwise_management(package)


def _unwise_management(package: "tuple[ProfileElement, ...]") -> list[str]:
    from kswifi.rsp.saip.applications import RemoteFileManagement
    from kswifi.rsp.saip.package import ElementKind

    managed = (RemoteFileManagement.decode(each.value) for each in package if each.kind is ElementKind.RFM)
    return [
        f"warning  packets for TAR {', '.join(tar.hex().upper() for tar in each.tars)} may be replayed or unsigned:"
        f" their security level is {each.minimum_security_level:02X} at least"
        for each in managed
        if each.minimum_security_level & _SAFE_LEVEL != _SAFE_LEVEL
    ]
