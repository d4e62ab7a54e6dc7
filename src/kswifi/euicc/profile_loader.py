"""From a profile package to a profile: everything is checked before anything is kept.

Handles the elements that our own profiles have. What a profile mandates and the card lacks is refused by name; an
element that is neither known nor mandated is passed over.
"""

from collections.abc import Callable
from typing import Final

from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.files import CURRENT_ADF_ID, MF_ID
from kswifi.euicc.profile_files import DF_ARR_FILE, MF_ARR_FILE, make_directory, make_file, unsupported
from kswifi.euicc.profile_remote import RemoteParts
from kswifi.euicc.state import Authentication, Directory, ElementaryFile, Pin, Profile, Puk
from kswifi.kernel.errors import KswifiError
from kswifi.rsp.messages.metadata import MAX_PROFILE_NAME_OCTETS, MAX_PROVIDER_NAME_OCTETS, ProfileMetadata
from kswifi.rsp.saip import elements
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import (
    Content,
    DoNotCreate,
    Fcp,
    GenericFileManagement,
    ManagementOperation,
    SelectPath,
    Skip,
    TemplateFiles,
)
from kswifi.rsp.saip.package import ElementKind, ProfileElement, read_package
from kswifi.rsp.saip.response import PeStatus
from kswifi.rsp.saip.templates import FileTemplate, FileType, templates

_SUPPORTED_SERVICES: Final = frozenset({"usim", "milenage"})
_SUPPORTED_VERSIONS: Final = (2, 3)
_EF_ICCID: Final = bytes.fromhex("2FE2")
_EF_SPN: Final = bytes.fromhex("6F46")
_DIRECTORY_DESCRIPTOR: Final = 0x38
_DIRECTORIES_MAX: Final = 64
_FILES_MAX: Final = 512
_LOCAL: Final = 0x80


def build_profile_state(
    octets: bytes, isdp_aid: bytes, *, metadata: bytes | None = None, issuer_key_id: bytes = b""
) -> Profile:
    """Return the profile of a package, disabled, not yet on any card.

    Without metadata (a profile that is loaded directly) its header and EF.SPN name it.

    Raises:
        ProfileRefusedError: malformed, or it mandates what this card lacks.
    """
    try:
        loader = _Loader(octets)
        mf = loader.load()
    except ProfileRefusedError:
        raise
    except KswifiError as error:
        status = PeStatus.INVALID_REQUEST_FORMAT
        raise ProfileRefusedError(error.message, reason="malformed", status=status) from error
    return Profile(
        iccid=loader.header.iccid.to_bytes(),
        isdp_aid=isdp_aid,
        enabled=False,
        metadata=_metadata(loader.header, mf) if metadata is None else metadata,
        issuer_key_id=issuer_key_id,
        mf=mf,
        puks=loader.puks,
        keys=loader.remote.keys,
        remote_management=loader.remote.management,
        access_rules=loader.remote.access_rules,
    )


class _Loader:
    """Walks the elements in their order; an element speaks of the directory made last."""

    def __init__(self, octets: bytes) -> None:
        self._elements = read_package(octets)
        self.header = elements.ProfileHeader.decode(self._elements[0].value)
        self._mf: Directory | None = None
        self._context: Directory | None = None
        self.puks: list[Puk] = []
        self.remote = RemoteParts()
        self._handlers: dict[ElementKind, Callable[[ProfileElement], None]] = {
            ElementKind.MF: self._make_mf,
            ElementKind.USIM: self._make_usim,
            ElementKind.PUK_CODES: self._take_puks,
            ElementKind.PIN_CODES: self._take_pins,
            ElementKind.AKA_PARAMETER: self._take_keys,
            ElementKind.GENERIC_FILE_MANAGEMENT: self._manage_files,
            ElementKind.SECURITY_DOMAIN: self.remote.take_domain,
            ElementKind.RFM: self.remote.take_management,
            ElementKind.APPLICATION: self.remote.take_application,
        }

    def load(self) -> Directory:
        self._check_header()
        for element in self._elements[1:-1]:
            number = None if element.header is None else element.header.identification
            try:
                self._handle(element)
            except ProfileRefusedError as refusal:
                refusal.element = number
                raise
            except KswifiError as error:
                raise ProfileRefusedError(error.message, reason="malformed", element=number) from error
        mf = self._require_mf()
        self._check_whole(mf)
        return mf

    def _handle(self, element: ProfileElement) -> None:
        handler = self._handlers.get(element.kind)
        if handler is not None:
            handler(element)
        elif element.header is not None and element.header.mandated:
            raise unsupported(f"the mandated profile element {element.kind}", PeStatus.PE_NOT_SUPPORTED)

    def _check_header(self) -> None:
        header = self.header
        if header.major_version not in _SUPPORTED_VERSIONS:
            what = f"profile packages of version {header.major_version}"
            raise unsupported(what, PeStatus.UNSUPPORTED_PROFILE_VERSION)
        lacking = sorted(set(header.mandatory_services) - _SUPPORTED_SERVICES)
        if lacking:
            raise unsupported(f"the mandatory services {', '.join(lacking)}")
        unknown = sorted(set(header.mandatory_templates) - set(templates()))
        if unknown:
            raise unsupported(f"the templates {', '.join(unknown)}", PeStatus.TEMPLATE_NOT_SUPPORTED)

    def _check_whole(self, mf: Directory) -> None:
        iccid = mf.file(_EF_ICCID)
        if iccid is None or iccid.content != self.header.iccid.to_bytes():
            raise ProfilePackageError("EF.ICCID does not say what the profile's header says")
        for directory in mf.walk():
            identifiers = [file.file_id for file in directory.files]
            identifiers += [child.file_id for child in directory.directories]
            if len(set(identifiers)) != len(identifiers):
                raise ProfilePackageError("two files of one directory have the same identifier")
            if directory.aid is not None and directory.authentication is None:
                raise ProfilePackageError("an application of the profile has no keys")
            for pin in directory.pins:
                if pin.puk_reference is not None and pin.puk_reference not in {p.key_reference for p in self.puks}:
                    raise ProfilePackageError("a PIN names a PUK that the profile does not have")

    def _require_mf(self) -> Directory:
        if self._mf is None:
            raise ProfilePackageError("the profile has no MF")
        return self._mf

    def _require_context(self) -> Directory:
        if self._context is None:
            raise ProfilePackageError("an element speaks of a directory before there is one")
        return self._context

    def _make_mf(self, element: ProfileElement) -> None:
        if self._mf is not None:
            raise ProfilePackageError("the profile has two MFs")
        self._mf = self._context = _from_template(element, FileType.MF, MF_ID, MF_ARR_FILE)

    def _make_usim(self, element: ProfileElement) -> None:
        mf = self._require_mf()
        if any(directory.aid is not None for directory in mf.directories):
            raise unsupported("more than one application in a profile")
        adf = _from_template(element, FileType.ADF, None, DF_ARR_FILE)
        if adf.aid is None or not 5 <= len(adf.aid) <= 16:
            raise ProfilePackageError("an application has a name of 5 to 16 octets")
        mf.directories.append(adf)
        self._context = adf

    def _take_puks(self, element: ProfileElement) -> None:
        for puk in elements.PukCodes.decode(element.value).puks:
            attempts, left = _attempts(puk.attempts)
            self.puks.append(Puk(puk.key_reference, puk.value, attempts, left))
        if len({puk.key_reference for puk in self.puks}) != len(self.puks):
            raise ProfilePackageError("the profile defines a PUK twice")

    def _take_pins(self, element: ProfileElement) -> None:
        codes = elements.PinCodes.decode(element.value)
        if codes.shared_with is not None:
            raise unsupported("PINs shared between directories")
        context = self._require_context()
        for pin in codes.pins:
            if not 0 < pin.key_reference <= 0xFF or bool(pin.key_reference & _LOCAL) == (context is self._mf):
                raise ProfilePackageError("global PINs belong to the MF, local ones to an application")
            attempts, left = _attempts(pin.attempts)
            context.pins.append(
                Pin(pin.key_reference, pin.value, pin.enabled, attempts, left, pin.unblocking_reference)
            )
        if len({pin.key_reference for pin in context.pins}) != len(context.pins):
            raise ProfilePackageError("a directory defines a PIN twice")

    def _take_keys(self, element: ProfileElement) -> None:
        aka = elements.AkaParameter.decode(element.value)
        context = self._require_context()
        if context.aid is None or context.authentication is not None:
            raise ProfilePackageError("the keys belong to no application, or to one that has some")
        algorithm = aka.algorithm
        if algorithm is None or algorithm.algorithm_id != elements.ALGORITHM_MILENAGE:
            raise unsupported("another authentication algorithm than Milenage with keys of its own")
        if (algorithm.options, algorithm.rotation, algorithm.xoring) != (
            elements.RES_64_BITS,
            elements.DEFAULT_ROTATION,
            elements.DEFAULT_XORING,
        ):
            raise unsupported("Milenage with other constants or another length of RES than the usual ones")
        if len(algorithm.key) != 16 or len(algorithm.opc) != 16:
            raise ProfilePackageError("Milenage takes keys of 16 octets")
        if aka.sqn_options != elements.SQN_WRAP_AROUND_PROTECTION:
            raise unsupported("other sequence number options than wrap-around protection")
        context.authentication = Authentication(
            k=algorithm.key,
            opc=algorithm.opc,
            sequence_numbers=[int.from_bytes(sqn, "big") for sqn in aka.sqn_init],
            delta=int.from_bytes(aka.sqn_delta, "big"),
        )

    def _manage_files(self, element: ProfileElement) -> None:
        for command in GenericFileManagement.decode(element.value).commands:
            self._run(command)

    def _run(self, command: tuple[ManagementOperation, ...]) -> None:
        directory = self._require_mf()
        waiting: Fcp | None = None
        writes: list[Skip | Content] = []
        for operation in (*command, SelectPath(b"")):
            if isinstance(operation, Skip | Content):
                writes.append(operation)
                continue
            if waiting is not None:
                directory = self._create(directory, waiting, writes)
                waiting, writes = None, []
            elif writes:
                raise unsupported("content for a file that another element made")
            if isinstance(operation, SelectPath):
                directory = self._resolve(operation.path)
            else:
                waiting = operation

    def _create(self, parent: Directory, fcp: Fcp, writes: list[Skip | Content]) -> Directory:
        arr_file = MF_ARR_FILE if parent is self._mf else DF_ARR_FILE
        if fcp.file_descriptor is None or fcp.file_id is None:
            raise ProfilePackageError("a file without a template has a descriptor and an identifier")
        if fcp.file_descriptor[:1] and fcp.file_descriptor[0] & 0x3F == _DIRECTORY_DESCRIPTOR:
            if fcp.df_name is not None or writes or len(fcp.file_id) != 2:
                raise ProfilePackageError("file management makes plain directories, without content")
            directory = make_directory(fcp, fcp.file_id, arr_file=arr_file)
            self._append(parent, directory)
            return directory
        self._append(parent, make_file(fcp, writes, arr_file=arr_file))
        return parent

    def _append(self, parent: Directory, item: Directory | ElementaryFile) -> None:
        directories = list(self._require_mf().walk())
        if (
            len(directories) >= _DIRECTORIES_MAX
            or sum(len(directory.files) for directory in directories) >= _FILES_MAX
        ):
            raise ProfilePackageError("a profile has too many files")
        if isinstance(item, Directory):
            parent.directories.append(item)
        else:
            parent.files.append(item)

    def _resolve(self, path: bytes) -> Directory:
        """Return the directory of a path of identifiers from the MF; an ADF goes by its temporary one."""
        directory = self._require_mf()
        if len(path) % 2 or len(path) > 8:
            raise ProfilePackageError("a path has up to four identifiers of two octets")
        for start in range(0, len(path), 2):
            identifier = path[start : start + 2]
            found = next((item for item in directory.directories if item.file_id == identifier), None)
            if found is None:
                raise ProfilePackageError("a path leads to no directory", path=path.hex())
            directory = found
        return directory


def _attempts(octet: int) -> tuple[int, int]:
    attempts, left = octet >> 4, octet & 0x0F
    if not 0 < attempts <= 0x0F or left > attempts:
        raise ProfilePackageError("a code has 1 to 15 attempts, and no more left than it has")
    return attempts, left


def _from_template(
    element: ProfileElement, root_type: FileType, root_id: bytes | None, arr_file: bytes
) -> Directory:
    """Make a template's root directory and all its files that the profile does not leave out."""
    given = TemplateFiles.decode(element.kind, element.value)
    rows = templates().get(given.template_oid)
    if rows is None or rows[0].file_type is not root_type:
        what = f"the template {given.template_oid} in element {element.kind}"
        raise unsupported(what, PeStatus.TEMPLATE_NOT_SUPPORTED)
    operations = dict(given.files)
    if operations and max(operations) >= len(rows):
        raise ProfilePackageError(f"the template {given.template_oid} has fewer files")
    fcps = {place: [o for o in row if isinstance(o, Fcp)] for place, row in operations.items()}
    if any(len(found) > 1 for found in fcps.values()) or not fcps.get(0):
        raise ProfilePackageError("a file has parameters once, and a directory needs them")
    root = fcps[0][0]
    file_id = root_id or root.file_id
    if file_id is None or len(file_id) != 2 or file_id == CURRENT_ADF_ID:
        raise ProfilePackageError("an application has a temporary identifier of two octets")
    # The rules of the MF and of ADFs themselves are in EF.ARR under the MF.
    directory = make_directory(root, file_id, arr_file=MF_ARR_FILE, arr_record=rows[0].arr)
    for place, row in enumerate(rows[1:], start=1):
        words = operations.get(place, ())
        if not any(isinstance(word, DoNotCreate) for word in words):
            directory.files.append(_template_file(row, words, fcps.get(place, []), arr_file))
    return directory


def _template_file(
    row: FileTemplate, words: tuple[object, ...], fcps: list[Fcp], arr_file: bytes
) -> ElementaryFile:
    writes = [word for word in words if isinstance(word, Skip | Content)]
    return make_file(fcps[0] if fcps else Fcp(), writes, arr_file=arr_file, template=row)


def _metadata(header: elements.ProfileHeader, mf: Directory) -> bytes:
    """Return the metadata of a profile that came without: names are cut to what metadata allows."""
    return ProfileMetadata(
        iccid=header.iccid.to_bytes(),
        service_provider_name=_cut(_service_provider_name(mf), MAX_PROVIDER_NAME_OCTETS),
        profile_name=_cut(header.profile_type or "", MAX_PROFILE_NAME_OCTETS),
    ).encode()


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore")


def _service_provider_name(mf: Directory) -> str:
    """Return the name in EF.SPN of the application (TS 31.102, 4.2.12), which the profile list shows."""
    for directory in mf.directories:
        file = directory.file(_EF_SPN)
        if file is not None:
            return file.content[1:].rstrip(b"\xff").decode("ascii", errors="replace")
    return ""
