"""Build our own profile: a USIM with Milenage and a file of session records, as a profile package.

It is the smallest profile that can attach and receive further session records: MF, USIM, its keys, one session
record, and keys for secured packets. Template files of services that are not in its service table are omitted.
"""

from dataclasses import dataclass, field
from typing import Final

from kswifi.kernel.numbers import Iccid, Imsi
from kswifi.rsp import session_record, tlv
from kswifi.rsp.access_rules import ARA_M_AID, ARA_M_PACKAGE_AID, CarrierApp
from kswifi.rsp.saip.access import (
    ACCESS_RULE_OCTETS,
    ACCESS_RULES,
    ADM_1,
    DIRECTORY_RULE,
    PIN_1,
    PIN_2,
    READ_ALWAYS_UPDATE_ADM,
)
from kswifi.rsp.saip.applications import (
    FULL_ACCESS,
    KEY_TYPE_AES,
    KIC_IDENTIFIER,
    KID_IDENTIFIER,
    MNO_SD_AID,
    Application,
    DomainKey,
    RemoteFileManagement,
    SecurityDomain,
)
from kswifi.rsp.saip.elements import (
    ALGORITHM_MILENAGE,
    RES_64_BITS,
    AkaParameter,
    AlgorithmParameter,
    PinCodes,
    PinConfiguration,
    ProfileHeader,
    PukCodes,
    PukConfiguration,
    encode_end,
)
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import (
    Content,
    DoNotCreate,
    Fcp,
    FileOperation,
    GenericFileManagement,
    SelectPath,
    Skip,
    TemplateFiles,
)
from kswifi.rsp.saip.package import ElementHeader, ElementKind
from kswifi.rsp.saip.templates import MF_TEMPLATE, USIM_TEMPLATE, place

USIM_AID: Final = bytes.fromhex("A0000000871002FFFFFFFF8907090000")
"""The USIM application: 3GPP's RID, application code 1002, no country or provider code (TS 101 220, annex E)."""

DF_KSWIFI: Final = bytes.fromhex("5F10")
EF_SESSIONS: Final = bytes.fromhex("4F01")
SESSION_RECORD_FILE_OCTETS: Final = 160
SESSION_RECORDS: Final = 8
RFM_TAR: Final = bytes.fromhex("B00011")
"""The TAR that addresses the USIM's files in secured packets: in the range of TS 101 220, annex D."""
RFM_KEY_SET: Final = 1
MINIMUM_SECURITY_LEVEL: Final = 0x16
"""Cryptographic checksum, ciphering, and a counter higher than the last one (TS 102 225, 5.1.1)."""

_RFM_AID: Final = bytes.fromhex("A00000055910100001")
_TEMPORARY_ADF_ID: Final = bytes.fromhex("7FD0")
_PIN_DISABLED: Final = 0x06  # disabled; may be changed and disabled
_ADM_ENABLED: Final = 0x03  # enabled, may be changed
_ADM_ATTEMPTS: Final = 0xAA
_LEFT_OUT: Final = ("EF.FDN", "EF.SMS", "EF.SMSP", "EF.SMSS", "EF.NETPAR")
_UST_OCTETS: Final = 14
_SERVICES: Final = (19, 85)  # service provider name; EPS mobility management (TS 31.102, 4.2.8)
_EMERGENCY_CALL_CODE: Final = bytes.fromhex("11F2FF00")  # 112 (TS 31.102, 4.2.21)
_POWER_CONSUMPTION: Final = bytes.fromhex("3C3C000000")  # 60 mA (TS 102 221, 13.5)
_SPN_OCTETS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileParameters:
    """The parameters in which our profiles differ; keys are excluded from ``repr``.

    ``adm_key``: 8 octets that allow direct writes. ``pin_1``, ``puk_1``, ``pin_2``, ``puk_2``: 8 octets each,
    padded with FF. ``session_record``: the signed record, not padded. ``mnc_digits``: 2 or 3, of the IMSI.
    ``kic`` and ``kid``: AES keys of secured packets, for this card only. ``carrier_apps``: the apps that get
    carrier privileges.
    """

    iccid: Iccid
    imsi: Imsi
    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)
    adm_key: bytes = field(repr=False)
    session_record: bytes = field(repr=False)
    profile_name: str = "KSWiFi"
    service_provider_name: str = "KSWiFi"
    mnc_digits: int = 2
    pin_1: bytes = field(repr=False, default=b"0000\xff\xff\xff\xff")
    puk_1: bytes = field(repr=False)
    pin_2: bytes = field(repr=False, default=b"0000\xff\xff\xff\xff")
    puk_2: bytes = field(repr=False)
    kic: bytes = field(repr=False)
    kid: bytes = field(repr=False)
    carrier_apps: tuple[CarrierApp, ...] = ()


def build_profile(parameters: ProfileParameters) -> bytes:
    """Return the unprotected profile package (DER), about 1.8 kB.

    Raises:
        ProfilePackageError: a parameter has the wrong length or range.
    """
    _check(parameters)
    return b"".join(
        (
            _header(parameters).encode(),
            _mf(parameters).encode(),
            _puks(parameters).encode(),
            _pins(parameters).encode(),
            _usim(parameters).encode(),
            PinCodes(
                ElementHeader(5),
                (PinConfiguration(key_reference=PIN_2, value=parameters.pin_2, unblocking_reference=PIN_2),),
            ).encode(),
            _keys(parameters).encode(),
            _session_records(parameters).encode(),
            *_remote_management(parameters),
            encode_end(11),
        )
    )


def _check(parameters: ProfileParameters) -> None:
    lengths = {
        "k": 16,
        "opc": 16,
        "adm_key": 8,
        "pin_1": 8,
        "puk_1": 8,
        "pin_2": 8,
        "puk_2": 8,
        "kic": 16,
        "kid": 16,
    }
    for name, length in lengths.items():
        if len(getattr(parameters, name)) != length:
            raise ProfilePackageError(f"{name} has {length} octets", field=name)
    if parameters.mnc_digits not in (2, 3):
        raise ProfilePackageError("a mobile network code has 2 or 3 digits", mnc_digits=parameters.mnc_digits)
    if not parameters.service_provider_name.isascii() or len(parameters.service_provider_name) > _SPN_OCTETS:
        raise ProfilePackageError(f"a service provider name has at most {_SPN_OCTETS} ASCII characters")
    if not 1 <= len(parameters.profile_name.encode()) <= 100:
        raise ProfilePackageError("a profile name has 1 to 100 octets")


def _header(parameters: ProfileParameters) -> ProfileHeader:
    return ProfileHeader(
        major_version=2,
        minor_version=1,
        profile_type=parameters.profile_name,
        iccid=parameters.iccid,
        mandatory_services=("usim", "milenage"),
        mandatory_templates=(MF_TEMPLATE, USIM_TEMPLATE),
    )


def _mf(parameters: ProfileParameters) -> TemplateFiles:
    directory_entry = tlv.encode(0x61, tlv.encode(0x4F, USIM_AID), tlv.encode(0x50, b"USIM"))
    files: dict[str, tuple[FileOperation, ...]] = {
        "MF": (Fcp(pin_status=bytes([PIN_1, ADM_1])),),
        "EF.PL": (Content(b"en"),),
        "EF.ICCID": (Content(parameters.iccid.to_bytes()),),
        "EF.DIR": _records((directory_entry,), len(directory_entry)),
        "EF.ARR": _records(ACCESS_RULES, ACCESS_RULE_OCTETS),
        "EF.UMPC": (Content(_POWER_CONSUMPTION),),
    }
    return _template_files(ElementKind.MF, 1, MF_TEMPLATE, files)


def _puks(parameters: ProfileParameters) -> PukCodes:
    return PukCodes(
        ElementHeader(2),
        (
            PukConfiguration(key_reference=PIN_1, value=parameters.puk_1),
            PukConfiguration(key_reference=PIN_2, value=parameters.puk_2),
        ),
    )


def _pins(parameters: ProfileParameters) -> PinCodes:
    return PinCodes(
        ElementHeader(3),
        (
            PinConfiguration(
                key_reference=PIN_1,
                value=parameters.pin_1,
                unblocking_reference=PIN_1,
                attributes=_PIN_DISABLED,
            ),
            PinConfiguration(
                key_reference=ADM_1,
                value=parameters.adm_key,
                attributes=_ADM_ENABLED,
                attempts=_ADM_ATTEMPTS,
            ),
        ),
    )


def _usim(parameters: ProfileParameters) -> TemplateFiles:
    services = bytearray(_UST_OCTETS)
    for service in _SERVICES:
        services[(service - 1) // 8] |= 1 << (service - 1) % 8
    access_class = 1 << int(parameters.imsi[-1])  # TS 22.011, 4.2: the IMSI's last digit
    name = parameters.service_provider_name.encode("ascii")
    files: dict[str, tuple[FileOperation, ...]] = {
        "ADF.USIM": (Fcp(file_id=_TEMPORARY_ADF_ID, df_name=USIM_AID, pin_status=bytes([PIN_1, PIN_2, ADM_1])),),
        "EF.IMSI": (Content(parameters.imsi.to_bytes()),),
        "EF.ARR": _records(ACCESS_RULES, ACCESS_RULE_OCTETS),
        "EF.UST": (Content(bytes(services)),),
        **dict.fromkeys(_LEFT_OUT, (DoNotCreate(),)),
        "EF.SPN": (Content(b"\x01" + name.ljust(_SPN_OCTETS, b"\xff")),),
        "EF.EST": (Content(b"\x00"),),
        "EF.ACC": (Content(access_class.to_bytes(2, "big")),),
        "EF.AD": (Content(bytes([0, 0, 0, parameters.mnc_digits])),),
        "EF.ECC": (Content(_EMERGENCY_CALL_CODE),),
    }
    return _template_files(ElementKind.USIM, 4, USIM_TEMPLATE, files)


def _keys(parameters: ProfileParameters) -> AkaParameter:
    return AkaParameter(
        header=ElementHeader(6),
        algorithm=AlgorithmParameter(
            algorithm_id=ALGORITHM_MILENAGE, options=RES_64_BITS, key=parameters.k, opc=parameters.opc
        ),
    )


def _session_records(parameters: ProfileParameters) -> GenericFileManagement:
    """Return DF.KSWIFI and EF.SESSIONS in the USIM, with identifiers for administrative use (TS 51.011, 6.6)."""
    size = SESSION_RECORD_FILE_OCTETS * SESSION_RECORDS
    return GenericFileManagement(
        ElementHeader(7),
        (
            (
                SelectPath(_TEMPORARY_ADF_ID),
                Fcp(
                    file_descriptor=bytes.fromhex("7821"),
                    file_id=DF_KSWIFI,
                    arr=bytes([DIRECTORY_RULE]),
                    pin_status=bytes([PIN_1, PIN_2, ADM_1]),
                ),
                SelectPath(_TEMPORARY_ADF_ID + DF_KSWIFI),
                Fcp(
                    file_descriptor=bytes.fromhex("4221") + SESSION_RECORD_FILE_OCTETS.to_bytes(2, "big"),
                    file_id=EF_SESSIONS,
                    arr=bytes([READ_ALWAYS_UPDATE_ADM]),
                    file_size=size.to_bytes(2, "big"),
                ),
                Content(session_record.pad(parameters.session_record, SESSION_RECORD_FILE_OCTETS)),
            ),
        ),
    )


def _remote_management(parameters: ProfileParameters) -> tuple[bytes, ...]:
    """Return the elements for remote management of the USIM's files, and the rules for apps if there are any."""
    keys = ((KIC_IDENTIFIER, parameters.kic), (KID_IDENTIFIER, parameters.kid))
    domain = SecurityDomain(
        ElementHeader(8),
        MNO_SD_AID,
        tuple(
            DomainKey(version=RFM_KEY_SET, identifier=identifier, key_type=KEY_TYPE_AES, value=key)
            for identifier, key in keys
        ),
    )
    management = RemoteFileManagement(
        header=ElementHeader(9),
        aid=_RFM_AID,
        tars=(RFM_TAR,),
        minimum_security_level=MINIMUM_SECURITY_LEVEL,
        adf_aid=USIM_AID,
        adf_access=FULL_ACCESS,
    )
    if not parameters.carrier_apps:
        return domain.encode(), management.encode()
    commands = tuple(app.store_command() for app in parameters.carrier_apps)
    # Not mandatory: a card without this applet still accepts the profile; Android then trusts no app.
    rules = Application(ElementHeader(10, mandated=False), ARA_M_PACKAGE_AID, ARA_M_AID, ARA_M_AID, commands)
    return domain.encode(), management.encode(), rules.encode()


def _records(records: tuple[bytes, ...], record_octets: int) -> tuple[FileOperation, ...]:
    """Return the operations for a linear fixed file of a template: its size, then its records."""
    operations: list[FileOperation] = [
        Fcp(
            file_descriptor=bytes.fromhex("4221") + record_octets.to_bytes(2, "big"),
            file_size=_file_size(record_octets * len(records)),
        )
    ]
    for record in records:
        operations.append(Content(record))
        if len(record) < record_octets:
            operations.append(Skip(record_octets - len(record)))
    return tuple(operations)


def _file_size(size: int) -> bytes:
    """Return a file size in the smallest number of octets."""
    return size.to_bytes((size.bit_length() + 7) // 8, "big")


def _template_files(
    kind: ElementKind, identification: int, oid: str, files: dict[str, tuple[FileOperation, ...]]
) -> TemplateFiles:
    placed = {place(oid, name): operations for name, operations in files.items()}
    return TemplateFiles(
        kind, ElementHeader(identification), oid, tuple(sorted(placed.items(), key=lambda item: item[0]))
    )
