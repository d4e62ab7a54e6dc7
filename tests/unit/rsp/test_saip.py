"""Profile packages: GSMA's come back octet by octet; ours are read by an independent library."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import asn1tools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.kernel.errors import KswifiError
from kswifi.rsp.saip import der
from kswifi.rsp.saip.access import ACCESS_RULES
from kswifi.rsp.saip.build import build_profile
from kswifi.rsp.saip.elements import AkaParameter, PinCodes, ProfileHeader, PukCodes
from kswifi.rsp.saip.errors import ProfilePackageError
from kswifi.rsp.saip.files import Fcp, GenericFileManagement, TemplateFiles
from kswifi.rsp.saip.package import ElementKind, ProfileElement, read_package
from kswifi.rsp.saip.templates import MF_TEMPLATE, USIM_TEMPLATE, default_content, place, templates
from tests.support.cards import KIC, KID, K, iccid, profile_package, profile_parameters, signed_record

DATA = Path(__file__).parents[2] / "data" / "ts48"
TS48 = sorted(DATA.glob("*.der"))
TEMPLATE_KINDS = {
    ElementKind.MF, ElementKind.CD, ElementKind.TELECOM, ElementKind.USIM, ElementKind.OPT_USIM, ElementKind.ISIM,
    ElementKind.OPT_ISIM, ElementKind.PHONEBOOK, ElementKind.GSM_ACCESS, ElementKind.CSIM, ElementKind.OPT_CSIM,
    ElementKind.DF_5GS, ElementKind.DF_SAIP,
}  # fmt: skip
DECODERS: dict[ElementKind, Callable[[bytes], Any]] = {
    ElementKind.HEADER: ProfileHeader.decode,
    ElementKind.PIN_CODES: PinCodes.decode,
    ElementKind.PUK_CODES: PukCodes.decode,
    ElementKind.AKA_PARAMETER: AkaParameter.decode,
    ElementKind.GENERIC_FILE_MANAGEMENT: GenericFileManagement.decode,
}

# The subset of a profile that ours uses, in our own words, for asn1tools: an encoder that shares no line with ours.
SUBSET = """
Subset DEFINITIONS IMPLICIT TAGS ::= BEGIN
Head ::= SEQUENCE { mandated [0] NULL OPTIONAL, number [1] INTEGER }
Header ::= [0] SEQUENCE {
  major [0] INTEGER, minor [1] INTEGER, type [2] UTF8String, iccid [3] OCTET STRING,
  services [5] SEQUENCE { usim [1] NULL, milenage [4] NULL }, templates [6] SEQUENCE OF OBJECT IDENTIFIER }
Pins ::= [2] SEQUENCE { head [0] Head, codes [1] EXPLICIT CHOICE {
  list [0] SEQUENCE OF SEQUENCE { key [0] INTEGER, value [1] OCTET STRING, puk [2] INTEGER OPTIONAL,
    attributes [3] INTEGER DEFAULT 7, attempts [4] INTEGER DEFAULT 51 } } }
Puks ::= [3] SEQUENCE { head [0] Head,
  list [1] SEQUENCE OF SEQUENCE { key [0] INTEGER, value [1] OCTET STRING, attempts [2] INTEGER DEFAULT 170 } }
Aka ::= [4] SEQUENCE { head [0] Head, configuration [1] EXPLICIT CHOICE { algorithm [1] SEQUENCE {
  id [0] INTEGER, options [1] OCTET STRING, key [2] OCTET STRING, opc [3] OCTET STRING } } }
Fcp ::= SEQUENCE { descriptor [2] OCTET STRING OPTIONAL, id [3] OCTET STRING OPTIONAL,
  name [4] OCTET STRING OPTIONAL, arr [11] OCTET STRING OPTIONAL,
  size [0] OCTET STRING OPTIONAL, pins [PRIVATE 6] OCTET STRING OPTIONAL }
Management ::= [1] SEQUENCE { head [0] Head, commands [1] SEQUENCE OF SEQUENCE OF CHOICE {
  path [0] OCTET STRING, create [APPLICATION 2] Fcp, offset INTEGER, content [1] OCTET STRING } }
File ::= SEQUENCE OF CHOICE { omit [0] NULL, fcp [1] Fcp, offset [2] INTEGER, content [3] OCTET STRING }
Mf ::= [16] SEQUENCE { head [0] Head, template [1] OBJECT IDENTIFIER, mf [2] File, pl [3] File, iccid [4] File,
  dir [5] File, arr [6] File, umpc [7] File }
Usim ::= [19] SEQUENCE { head [0] Head, template [1] OBJECT IDENTIFIER, adf [2] File, imsi [3] File, arr [4] File,
  keys [5] File OPTIONAL, keysps [6] File OPTIONAL, hpplmn [7] File OPTIONAL, ust [8] File, fdn [9] File OPTIONAL,
  sms [10] File OPTIONAL, smsp [11] File OPTIONAL, smss [12] File OPTIONAL, spn [13] File, est [14] File,
  hfn [15] File OPTIONAL, threshold [16] File OPTIONAL, psloci [17] File OPTIONAL, acc [18] File,
  fplmn [19] File OPTIONAL, loci [20] File OPTIONAL, ad [21] File OPTIONAL, ecc [22] File,
  netpar [23] File OPTIONAL, epsloci [24] File OPTIONAL, epsnsc [25] File OPTIONAL }
Domain ::= [6] SEQUENCE { head [0] Head, instance [1] SEQUENCE {
  package [APPLICATION 15] OCTET STRING, class [APPLICATION 15] OCTET STRING, name [APPLICATION 15] OCTET STRING,
  privileges [2] OCTET STRING, state [3] OCTET STRING, parameters [PRIVATE 9] OCTET STRING },
  keys [2] SEQUENCE OF SEQUENCE { usage [21] OCTET STRING, identifier [2] OCTET STRING, version [3] OCTET STRING,
    components SEQUENCE OF SEQUENCE { type [0] OCTET STRING, data [6] OCTET STRING } } }
Remote ::= [7] SEQUENCE { head [0] Head, name [APPLICATION 15] OCTET STRING, tars [0] SEQUENCE OF OCTET STRING,
  level [1] OCTET STRING, shared OCTET STRING, administration OCTET STRING,
  adf SEQUENCE { name [0] OCTET STRING, access [1] OCTET STRING, administration [2] OCTET STRING } OPTIONAL }
End ::= [10] SEQUENCE { head [0] Head }
END
"""
ORACLE = asn1tools.compile_string(SUBSET, "der")
ORACLE_TYPES = {
    ElementKind.HEADER: "Header",
    ElementKind.PIN_CODES: "Pins",
    ElementKind.PUK_CODES: "Puks",
    ElementKind.AKA_PARAMETER: "Aka",
    ElementKind.GENERIC_FILE_MANAGEMENT: "Management",
    ElementKind.MF: "Mf",
    ElementKind.USIM: "Usim",
    ElementKind.SECURITY_DOMAIN: "Domain",
    ElementKind.RFM: "Remote",
    ElementKind.END: "End",
}


def decode(element: ProfileElement) -> Any:
    if element.kind in TEMPLATE_KINDS:
        return TemplateFiles.decode(element.kind, element.value)
    return DECODERS[element.kind](element.value)


@pytest.mark.parametrize("path", TS48, ids=lambda path: path.stem)
def test_ts48_profiles_are_read_whole(path: Path) -> None:
    elements = read_package(path.read_bytes())
    assert b"".join(element.raw for element in elements) == path.read_bytes()
    assert ElementKind.UNKNOWN not in {element.kind for element in elements}
    assert all(element.header.mandated for element in elements if element.header)


@pytest.mark.parametrize("path", TS48, ids=lambda path: path.stem)
def test_typed_elements_of_ts48_come_back_octet_by_octet(path: Path) -> None:
    seen = set()
    for element in read_package(path.read_bytes()):
        if element.kind in DECODERS or element.kind in TEMPLATE_KINDS:
            assert decode(element).encode() == element.raw, element.kind
            seen.add(element.kind)
    assert set(DECODERS) | {ElementKind.MF, ElementKind.USIM} <= seen


def test_what_a_ts48_header_says() -> None:
    header = ProfileHeader.decode(read_package((DATA / "TS48v2_SAIP2.1_BERTLV.der").read_bytes())[0].value)
    assert (header.major_version, header.minor_version) == (2, 1)
    assert header.profile_type == "GSMA Generic eUICC Test Profile"
    assert header.iccid == "89000123456789012341"
    assert header.mandatory_services == ("usim", "isim", "csim", "usim-test-algorithm", "ber-tlv")
    assert header.mandatory_templates[0] == MF_TEMPLATE


_FROM_TEMPLATES = (
    "mf", "telecom", "usim", "opt-usim", "isim", "opt-isim", "gsm-access", "csim", "opt-csim", "df-5gs", "df-saip"
)  # fmt: skip


@pytest.mark.parametrize("path", TS48, ids=lambda path: path.stem)
def test_our_template_tables_name_the_files_that_ts48_names(path: Path) -> None:
    """Where GSMA's profile writes a file's identifier out, our table has the same one at that place."""
    compared = 0
    for element in read_package(path.read_bytes()):
        if element.header is None or str(element.kind) not in _FROM_TEMPLATES:
            continue
        files = TemplateFiles.decode(element.kind, element.value)
        rows = templates()[files.template_oid]
        for number, operations in files.files:
            for operation in operations:
                if isinstance(operation, Fcp) and operation.file_id and rows[number].file_id:
                    assert rows[number].file_id == operation.file_id, rows[number].name
                    compared += 1
    assert compared >= 180


def test_our_profile_is_read_by_an_independent_library() -> None:
    package = profile_package()
    assert len(package) < 2048
    for element in read_package(package):
        name = ORACLE_TYPES[element.kind]
        assert ORACLE.encode(name, ORACLE.decode(name, element.raw)) == element.raw, name


def test_what_our_profile_says_by_an_independent_library() -> None:
    by_kind = {element.kind: element.raw for element in read_package(profile_package())}
    header = ORACLE.decode("Header", by_kind[ElementKind.HEADER])
    assert header["iccid"].hex().upper() == iccid().ljust(20, "F")
    assert header["templates"] == [MF_TEMPLATE, USIM_TEMPLATE]
    algorithm = ORACLE.decode("Aka", by_kind[ElementKind.AKA_PARAMETER])["configuration"][1]
    assert (algorithm["id"], algorithm["key"]) == (1, K)
    usim = ORACLE.decode("Usim", by_kind[ElementKind.USIM])
    assert usim["imsi"] == [("content", profile_parameters().imsi.to_bytes())]
    command = ORACLE.decode("Management", by_kind[ElementKind.GENERIC_FILE_MANAGEMENT])["commands"][0]
    assert command[-1] == ("content", signed_record().ljust(160, b"\xff"))
    domain = ORACLE.decode("Domain", by_kind[ElementKind.SECURITY_DOMAIN])
    kept = {key["identifier"]: key["components"] for key in domain["keys"]}
    assert kept == {b"\x01": [{"type": b"\x88", "data": KIC}], b"\x02": [{"type": b"\x88", "data": KID}]}
    remote = ORACLE.decode("Remote", by_kind[ElementKind.RFM])
    assert (remote["tars"], remote["level"], remote["shared"]) == ([bytes.fromhex("B00011")], b"\x16", b"\xff")
    assert remote["adf"]["access"] == b"\x00"


def test_a_parameter_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ProfilePackageError, match="k has 16 octets"):
        profile_package(k=b"short")
    with pytest.raises(ProfilePackageError, match="service provider name"):
        profile_package(service_provider_name="far too long a name for this file")
    with pytest.raises(KswifiError, match="longer than the card's file"):
        profile_package(session_record=bytes(161))
    assert "87654321" not in repr(profile_parameters())


def test_a_frame_that_is_no_package_is_refused() -> None:
    package = profile_package()
    elements = read_package(package)
    header, middle, end = elements[0].raw, elements[1].raw, elements[-1].raw
    for octets in (
        b"",
        middle + end,
        header + middle,
        header + end + end,
        header + middle + middle + end,
        package[:-1],
    ):
        with pytest.raises(ProfilePackageError):
            read_package(octets)
    with pytest.raises(ProfilePackageError, match="at most"):
        read_package(bytes(300 * 1024))


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 1500), st.integers(0, 255), st.booleans())
def test_altered_packages_are_decoded_or_refused_cleanly(offset: int, value: int, cut: bool) -> None:
    octets = bytearray(build_profile(profile_parameters()))
    offset %= len(octets)
    if cut:
        del octets[offset : offset + 1 + value % 7]
    else:
        octets[offset] = value
    try:
        for element in read_package(bytes(octets)):
            if element.kind in DECODERS or element.kind in TEMPLATE_KINDS:
                decode(element)
    except KswifiError:
        pass


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([*DECODERS, *TEMPLATE_KINDS]), st.binary(max_size=64))
def test_any_octets_are_decoded_or_refused_cleanly(kind: ElementKind, value: bytes) -> None:
    try:
        if kind in TEMPLATE_KINDS:
            TemplateFiles.decode(kind, value)
        else:
            DECODERS[kind](value)
    except KswifiError:
        pass


@pytest.mark.parametrize("oid", ["2.23.143.1.2.1", "2.23.143.1.2.13.4", "2.999.1", "1.2.840.113549", "0.9.2342"])
def test_object_identifiers_round_trip(oid: str) -> None:
    assert der.decode_oid(der.encode_oid(oid)) == oid


@given(st.integers(0, (1 << 31) - 1))
def test_integers_round_trip(value: int) -> None:
    assert der.decode_integer(der.encode_integer(value)) == value


def test_defaults_of_templates() -> None:
    rows = templates()[USIM_TEMPLATE]
    keys = rows[place(USIM_TEMPLATE, "EF.Keys")]
    assert default_content(keys, 4) == bytes.fromhex("07FFFFFF")
    assert default_content(rows[place(USIM_TEMPLATE, "EF.AD")], 4) == bytes.fromhex("00000002")
    assert default_content(rows[place(USIM_TEMPLATE, "EF.IMSI")], 3) == b"\xff" * 3
    assert max(row.arr or 0 for table in templates().values() for row in table) <= len(ACCESS_RULES)
    optional = templates()["2.23.143.1.2.5"]
    assert default_content(optional[place("2.23.143.1.2.5", "EF.ICI")], 28)[-10:] == bytes.fromhex(
        "FFFF0000000001FFFF".rjust(20, "F")
    )
    assert default_content(optional[place("2.23.143.1.2.5", "EF.OPLMNwAcT")], 7) == bytes.fromhex("FFFFFF0000FFFF")


def test_no_template_has_two_files_by_one_identifier() -> None:
    for oid, rows in templates().items():
        named = [(row.parent, row.file_id) for row in rows if row.file_id is not None]
        assert len(set(named)) == len(named), oid
