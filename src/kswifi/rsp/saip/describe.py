"""Describe a profile package, or the differences of two, as text; keys and codes are never shown."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from kswifi.rsp.saip import elements
from kswifi.rsp.saip.applications import RemoteFileManagement, SecurityDomain
from kswifi.rsp.saip.files import DoNotCreate, Fcp, FileOperation, GenericFileManagement, TemplateFiles
from kswifi.rsp.saip.package import ElementKind, ProfileElement
from kswifi.rsp.saip.templates import templates

_ALGORITHMS: Final = {1: "Milenage", 2: "TUAK", elements.ALGORITHM_USIM_TEST: "the USIM test algorithm"}
_WITHOUT_TEMPLATE: Final = frozenset(tuple(ElementKind)[: tuple(ElementKind).index(ElementKind.MF)])


def describe_header(header: elements.ProfileHeader) -> list[str]:
    """Return the fields of a package's header, one per line."""
    return [
        f"version    {header.major_version}.{header.minor_version}",
        f"name       {header.profile_type or '(none)'}",
        f"ICCID      {header.iccid}",
        f"mandates   {', '.join(header.mandatory_services) or '(nothing)'}",
        f"templates  {', '.join(header.mandatory_templates) or '(none)'}",
    ]


def describe_element(element: ProfileElement) -> str:
    """Return one line about an element.

    Raises:
        ProfilePackageError: it is malformed.
    """
    number = "-" if element.header is None else str(element.header.identification)
    mandated = "mandated" if element.header is None or element.header.mandated else "optional"
    return f"{number:>3}  {element.kind!s:22} {mandated}  {len(element.raw):6} octets  {_detail(element)}".rstrip()


def _detail(element: ProfileElement) -> str:
    match element.kind:
        case ElementKind.PIN_CODES:
            codes = elements.PinCodes.decode(element.value)
            shared = codes.shared_with
            return _references(codes.pins) if shared is None else f"those of {shared.hex().upper()}"
        case ElementKind.PUK_CODES:
            return _references(elements.PukCodes.decode(element.value).puks)
        case ElementKind.AKA_PARAMETER:
            return _algorithm(elements.AkaParameter.decode(element.value).algorithm)
        case ElementKind.SECURITY_DOMAIN:
            domain = SecurityDomain.decode(element.value)
            return f"{domain.aid.hex().upper()}, {len(domain.keys)} keys"
        case ElementKind.RFM:
            managed = RemoteFileManagement.decode(element.value)
            tars = ", ".join(tar.hex().upper() for tar in managed.tars)
            return f"TAR {tars}, security level {managed.minimum_security_level:02X} at least"
        case ElementKind.GENERIC_FILE_MANAGEMENT:
            commands = GenericFileManagement.decode(element.value).commands
            return f"{sum(isinstance(it, Fcp) for command in commands for it in command)} files"
    return _template_detail(element) if is_template(element) else ""


def _references(codes: Iterable[elements.PinConfiguration | elements.PukConfiguration]) -> str:
    return "codes " + ", ".join(f"{code.key_reference:02X}" for code in codes)


def _algorithm(algorithm: elements.AlgorithmParameter | None) -> str:
    if algorithm is None:
        return "another application's keys"
    return _ALGORITHMS.get(algorithm.algorithm_id, f"algorithm {algorithm.algorithm_id}")


def is_template(element: ProfileElement) -> bool:
    """Tell whether an element makes files from a template."""
    return element.kind not in _WITHOUT_TEMPLATE and element.kind is not ElementKind.UNKNOWN


def _template_detail(element: ProfileElement) -> str:
    given = TemplateFiles.decode(element.kind, element.value)
    words = f"template {given.template_oid}, {len(given.files)} files named"
    root = next((it for place, row in given.files[:1] if place == 0 for it in row if isinstance(it, Fcp)), None)
    return words if root is None or root.df_name is None else f"{words}, {root.df_name.hex().upper()}"


def differences(old: Iterable[ProfileElement], new: Iterable[ProfileElement]) -> Iterator[str]:
    """Yield a line for each element that only one package has, or that differs: "-", "+" or "~"."""
    before, after = _by_place(old), _by_place(new)
    for key in dict.fromkeys((*before, *after)):
        name = key[0] if key[1] == 1 else f"{key[0]} {key[1]}"
        if key not in after:
            yield f"- {name}"
        elif key not in before:
            yield f"+ {name}"
        elif before[key].raw != after[key].raw:
            yield f"~ {name}{_what_differs(before[key], after[key])}"


def _by_place(package: Iterable[ProfileElement]) -> dict[tuple[str, int], ProfileElement]:
    count: Counter[str] = Counter()
    found = {}
    for element in package:
        count[element.kind] += 1
        found[str(element.kind), count[element.kind]] = element
    return found


def _what_differs(old: ProfileElement, new: ProfileElement) -> str:
    if old.kind is ElementKind.HEADER:
        pairs = zip(
            *(describe_header(elements.ProfileHeader.decode(each.value)) for each in (old, new)), strict=True
        )
        return "".join(f"\n    {one}  ->  {other[11:]}" for one, other in pairs if one != other)
    if not is_template(old):
        return ""
    given = [TemplateFiles.decode(each.kind, each.value) for each in (old, new)]
    if given[0].template_oid != given[1].template_oid:
        return f": template {given[0].template_oid}  ->  {given[1].template_oid}"
    files = [dict(each.files) for each in given]
    rows = templates().get(given[0].template_oid, ())
    places = sorted({place for each in files for place in each if files[0].get(place) != files[1].get(place)})
    return "".join(
        f"\n    {_file(rows[place].name if place < len(rows) else str(place), files, place)}" for place in places
    )


def _file(name: str, files: list[dict[int, tuple[FileOperation, ...]]], place: int) -> str:
    states = [
        "left out" if _left_out(each.get(place)) else "given" if place in each else "default" for each in files
    ]
    return f"{name}: {states[0]}  ->  {states[1]}" if states[0] != states[1] else f"{name}: another content or form"


def _left_out(words: tuple[FileOperation, ...] | None) -> bool:
    return words is not None and any(isinstance(word, DoNotCreate) for word in words)
