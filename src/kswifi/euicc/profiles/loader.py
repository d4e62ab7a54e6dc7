"""Build a profile from a profile package; everything is checked before anything is stored.

A mandatory feature that the card lacks is refused by its name. An unknown element that is not mandatory is
ignored.
"""

import logging
from collections.abc import Callable
from typing import Final

from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.profiles.files import DF_ARR_FILE, MF_ARR_FILE, make_directory, make_file, unsupported
from kswifi.euicc.profiles.keys import make_keys, mapped_application
from kswifi.euicc.profiles.policy import class_of
from kswifi.euicc.profiles.remote import RemoteParts
from kswifi.euicc.profiles.templates import make_template_files
from kswifi.euicc.state import Directory, ElementaryFile, Pin, Profile, Puk, file_at
from kswifi.kernel.errors import KswifiError
from kswifi.rsp.messages.metadata import (
    MAX_PROFILE_NAME_OCTETS,
    MAX_PROVIDER_NAME_OCTETS,
    ProfileClass,
    ProfileMetadata,
)
from kswifi.rsp.saip import elements
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import (
    Content,
    Fcp,
    GenericFileManagement,
    ManagementOperation,
    SelectPath,
    Skip,
    TemplateFiles,
)
from kswifi.rsp.saip.package import ElementKind, ProfileElement, read_package
from kswifi.rsp.saip.response import PeStatus
from kswifi.rsp.saip.templates import FileType, templates

_SUPPORTED_SERVICES: Final = frozenset(
    {
        "usim", "isim", "csim", "milenage", "usim-test-algorithm", "multiple-usim", "multiple-isim",
        "multiple-csim", "ber-tlv", "get-identity", "profile-a-x25519", "profile-b-p256",
    }
)  # fmt: skip
_OUTSIDE_APPLICATIONS: Final = (ElementKind.MF, ElementKind.CD, ElementKind.TELECOM)
_TEMPLATES: Final = (
    *_OUTSIDE_APPLICATIONS,
    ElementKind.USIM,
    ElementKind.OPT_USIM,
    ElementKind.ISIM,
    ElementKind.OPT_ISIM,
    ElementKind.PHONEBOOK,
    ElementKind.GSM_ACCESS,
    ElementKind.CSIM,
    ElementKind.OPT_CSIM,
    ElementKind.EAP,
    ElementKind.DF_5GS,
    ElementKind.DF_SAIP,
    ElementKind.DF_SNPN,
    ElementKind.DF_5GPROSE,
)
_SUPPORTED_VERSIONS: Final = (2, 3)
_EF_ICCID: Final = bytes.fromhex("2FE2")
_EF_SPN: Final = bytes.fromhex("6F46")
_DIRECTORY_DESCRIPTOR: Final = 0x38
_DIRECTORIES_MAX: Final = 64
_FILES_MAX: Final = 512
_LOCAL: Final = 0x80

_log = logging.getLogger(__name__)


def build_profile_state(
    octets: bytes, isdp_aid: bytes, *, metadata: bytes | None = None, issuer_key_id: bytes = b""
) -> Profile:
    """Return the profile of a package, disabled and not yet added to a card.

    Without metadata (a profile that is loaded directly), its header and EF.SPN give its names.

    Raises:
        ProfileRefusedError: malformed, or a mandatory feature is not supported.
    """
    try:
        loader = _Loader(octets)
        mf = loader.load()
        if metadata is not None:
            _warn_of_test_algorithm(loader, ProfileMetadata.decode(metadata))
    except ProfileRefusedError:
        raise
    except KswifiError as error:
        status = PeStatus.INVALID_REQUEST_FORMAT
        raise ProfileRefusedError(error.message, reason="malformed", status=status) from error
    return Profile(
        iccid=loader.header.iccid.to_bytes(),
        isdp_aid=isdp_aid,
        enabled=False,
        metadata=_metadata(loader.header, mf, loader.package) if metadata is None else metadata,
        issuer_key_id=issuer_key_id,
        mf=mf,
        puks=loader.puks,
        keys=loader.remote.keys,
        remote_management=loader.remote.management,
        access_rules=loader.remote.access_rules,
    )


class _Loader:
    """Process the elements in order; an element refers to the directory that was made last."""

    def __init__(self, octets: bytes) -> None:
        self.package = read_package(octets)
        self.header = elements.ProfileHeader.decode(self.package[0].value)
        self._mf: Directory | None = None
        self._context: Directory | None = None
        """The directory for the next PIN codes."""
        self._application: Directory | None = None
        self._kinds: dict[bytes, ElementKind] = {}
        """The kinds of the applications, by their names (AID)."""
        self.puks: list[Puk] = []
        self.remote = RemoteParts()
        self._handlers: dict[ElementKind, Callable[[ProfileElement], None]] = {
            **dict.fromkeys(_TEMPLATES, self._make_template),
            ElementKind.CDMA_PARAMETER: self._take_cdma_keys,
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
        for element in self.package[1:-1]:
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
            if directory.aid is not None:
                self._check_keys(mf, directory)
            for file in directory.files:
                self._check_link(mf, file)
            for pin in directory.pins:
                if pin.puk_reference is not None and pin.puk_reference not in {p.key_reference for p in self.puks}:
                    raise ProfilePackageError("a PIN names a PUK that the profile does not have")

    def _check_keys(self, mf: Directory, application: Directory) -> None:
        if self._kinds.get(application.aid or b"") is ElementKind.CSIM:
            return
        lenders = [each.aid for each in mf.directories if each.authentication is not None]
        if application.authentication is None and application.keys_of not in lenders:
            raise ProfilePackageError("an application of the profile has no keys")

    def _check_link(self, mf: Directory, file: ElementaryFile) -> None:
        if not file.link:
            return
        target = file_at(mf, file.link)
        if target is None or target.link:
            raise ProfilePackageError("a linked file leads to no file", path=file.link.hex())

    def _require_application(self) -> Directory:
        if self._application is None:
            raise ProfilePackageError("an element speaks of an application before there is one")
        return self._application

    def _require_mf(self) -> Directory:
        if self._mf is None:
            raise ProfilePackageError("the profile has no MF")
        return self._mf

    def _require_context(self) -> Directory:
        if self._context is None:
            raise ProfilePackageError("an element speaks of a directory before there is one")
        return self._context

    def _make_template(self, element: ProfileElement) -> None:
        """Make a template's files: a new directory, or more files in the application that was made last."""
        given = TemplateFiles.decode(element.kind, element.value)
        in_application = element.kind not in _OUTSIDE_APPLICATIONS
        made = make_template_files(given, in_application=in_application)
        root = made.root
        if made.root_type is FileType.MF:
            if self._mf is not None:
                raise ProfilePackageError("the profile has two MFs")
            self._mf = self._context = root
        elif made.root_type is FileType.ADF and root is not None:
            if any(directory.aid == root.aid for directory in self._require_mf().directories):
                raise ProfilePackageError("two applications have the same name")
            self._append(self._require_mf(), root)
            self._application = self._context = root
            self._kinds[root.aid or b""] = element.kind
        elif root is not None:
            self._append(self._require_application() if in_application else self._require_mf(), root)
            self._context = self._context if in_application else root
        target = root or self._require_application()
        for parent, item in made.items:
            self._append(parent or target, item)

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
        application = self._require_application()
        if application.authentication is not None or application.keys_of:
            raise ProfilePackageError("an application has keys already")
        if aka.mapping is not None:
            application.keys_of = mapped_application(aka.mapping)
        else:
            application.authentication = make_keys(aka)

    def _take_cdma_keys(self, _element: ProfileElement) -> None:
        """Ignore CDMA keys: the card has CSIM files but no CAVE algorithm, which a profile may make mandatory."""
        if self._kinds.get(self._require_application().aid or b"") is not ElementKind.CSIM:
            raise ProfilePackageError("the parameters of CDMA belong to no CSIM")

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
        """Return the directory at a path of identifiers from the MF; an ADF has a temporary identifier."""
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


def _warn_of_test_algorithm(loader: _Loader, metadata: ProfileMetadata) -> None:
    """Warn if a profile that is not of class test uses the USIM test algorithm.

    No clause of SGP.22 forbids it, and servers in use send such profiles. The algorithm provides no security,
    so no real authentication centre serves such a subscriber.
    """
    if class_of(metadata) != ProfileClass.TEST and elements.uses_test_algorithm(loader.package):
        _log.warning("a profile that is not of class test uses the USIM test algorithm, which protects nothing")


def _attempts(octet: int) -> tuple[int, int]:
    attempts, left = octet >> 4, octet & 0x0F
    if not 0 < attempts <= 0x0F or left > attempts:
        raise ProfilePackageError("a code has 1 to 15 attempts, and no more left than it has")
    return attempts, left


def _metadata(header: elements.ProfileHeader, mf: Directory, package: tuple[ProfileElement, ...]) -> bytes:
    """Return metadata for a profile that came without: names are cut to the maximum lengths."""
    return ProfileMetadata(
        iccid=header.iccid.to_bytes(),
        service_provider_name=_cut(_service_provider_name(mf), MAX_PROVIDER_NAME_OCTETS),
        profile_name=_cut(header.profile_type or "", MAX_PROFILE_NAME_OCTETS),
        profile_class=ProfileClass.TEST if elements.uses_test_algorithm(package) else None,
    ).encode()


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore")


def _service_provider_name(mf: Directory) -> str:
    """Return the name in EF.SPN of the application (TS 31.102, 4.2.12), which is shown in the profile list."""
    for directory in mf.directories:
        file = directory.file(_EF_SPN)
        if file is not None:
            return file.content[1:].rstrip(b"\xff").decode("ascii", errors="replace")
    return ""
