"""Make directories and files from a template's element (SAIP, annex A)."""

from dataclasses import dataclass, field
from typing import Final

from kswifi.euicc.files.fcp import CURRENT_ADF_ID, MF_ID
from kswifi.euicc.profiles.files import DF_ARR_FILE, MF_ARR_FILE, make_directory, make_file, unsupported
from kswifi.euicc.state import Directory, ElementaryFile
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import Content, DoNotCreate, Fcp, FileOperation, Skip, TemplateFiles
from kswifi.rsp.saip.response import PeStatus
from kswifi.rsp.saip.templates import FileTemplate, FileType, templates

_DIRECTORIES: Final = (FileType.MF, FileType.ADF, FileType.DF)
_ARR: Final = "EF.ARR"


@dataclass(slots=True)
class Made:
    """The result of one element. ``root`` is the directory of its first row, None if it fills an existing one."""

    root: Directory | None = None
    root_type: FileType | None = None
    items: list[tuple[Directory | None, Directory | ElementaryFile]] = field(default_factory=list)
    """Each item with its parent directory; None is the directory that the element fills."""


def make_template_files(given: TemplateFiles, *, in_application: bool) -> Made:
    """Make a template's files: the default ones that the profile does not exclude, and those that it names.

    Raises:
        ProfilePackageError: parameters are missing or contradict each other.
        ProfileRefusedError: the card does not support the template or a kind of file.
    """
    rows = templates().get(given.template_oid)
    if rows is None:
        what = f"the template {given.template_oid} in element {given.kind}"
        raise unsupported(what, PeStatus.TEMPLATE_NOT_SUPPORTED)
    operations = dict(given.files)
    if operations and max(operations) >= len(rows):
        raise ProfilePackageError(f"the template {given.template_oid} has fewer files")
    made = Made()
    below: dict[bytes, Directory] = {}
    arr_file = DF_ARR_FILE if in_application or _brings_rules(rows, operations) else MF_ARR_FILE
    for place, row in enumerate(rows):
        words = operations.get(place)
        left_out = words is not None and any(isinstance(word, DoNotCreate) for word in words)
        if left_out or (words is None and not row.by_default):
            continue
        fcp = _parameters(words or ())
        parent = made.root
        if row.parent is not None and (parent := below.get(row.parent)) is None:
            raise ProfilePackageError(f"{row.name} lies in a directory that the profile does not make")
        if row.file_type in _DIRECTORIES:
            rule_file = arr_file if row.file_type is FileType.DF and in_application else MF_ARR_FILE
            directory = _directory(row, fcp, rule_file)
            if place == 0:
                made.root, made.root_type = directory, row.file_type
            else:
                made.items.append((parent, directory))
            if row.file_id is not None:
                below[row.file_id] = directory
        else:
            writes = [word for word in words or () if isinstance(word, Skip | Content)]
            made.items.append((parent, make_file(fcp, writes, arr_file=arr_file, template=row)))
    if rows[0].file_type in _DIRECTORIES and made.root is None:
        raise ProfilePackageError(f"the template {given.template_oid} is nothing without its directory")
    return made


def _brings_rules(rows: tuple[FileTemplate, ...], operations: dict[int, tuple[FileOperation, ...]]) -> bool:
    """Tell whether the files' access rules are in an EF.ARR of their own directory, not of the MF."""
    if rows[0].file_type is FileType.MF:
        return False
    return rows[0].file_type is FileType.ADF or any(rows[place].name == _ARR for place in operations)


def _parameters(words: tuple[FileOperation, ...]) -> Fcp:
    found = [word for word in words if isinstance(word, Fcp)]
    if len(found) > 1:
        raise ProfilePackageError("a file has parameters once")
    return found[0] if found else Fcp()


def _directory(row: FileTemplate, fcp: Fcp, arr_file: bytes) -> Directory:
    file_id = MF_ID if row.file_type is FileType.MF else fcp.file_id or row.file_id
    if file_id is None or len(file_id) != 2 or file_id == CURRENT_ADF_ID:
        raise ProfilePackageError(f"{row.name} has an identifier of two octets")
    if row.file_type is FileType.ADF:
        if fcp.df_name is None or not 5 <= len(fcp.df_name) <= 16:
            raise ProfilePackageError("an application has a name of 5 to 16 octets")
    elif fcp.df_name is not None:
        raise ProfilePackageError(f"{row.name} is no application and has no name of one")
    return make_directory(fcp, file_id, arr_file=arr_file, arr_record=row.arr)
