"""Profile packages bent on purpose: installed or refused with a status, never half; told in words or refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kswifi.euicc.card import Euicc
from kswifi.euicc.errors import ProfileRefusedError
from kswifi.euicc.state import decode_state, encode_state
from kswifi.kernel.errors import KswifiError
from kswifi.rsp import tlv
from kswifi.rsp.saip import describe
from kswifi.rsp.saip.elements import ProfileHeader, uses_test_algorithm
from kswifi.rsp.saip.package import read_package
from kswifi.rsp.saip.response import PeStatus, decode_euicc_response, encode_euicc_response
from tests.support.cards import EID, enable, profile_package, send
from tests.support.memory_storage import MemoryStorage

TS48 = Path(__file__).parents[2] / "data" / "ts48"
PACKAGES = (profile_package(1), *(path.read_bytes() for path in sorted(TS48.glob("*.der"))))
REASONS = ("malformed", "unsupported", "no_memory")
POINTED = st.integers(0, 1 << 16)


def bent_octets(octets: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(octets)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed)


def bent_inside(octets: bytes, path: list[int], change: int, other: bytes) -> bytes:
    """Go down to a data object; leave it out, repeat it, give it another value or tag; lengths are right again."""
    items = []
    try:
        items = list(tlv.walk(octets))
    except tlv.TlvError:
        return other
    if not items:
        return other
    place = path[0] % len(items)
    chosen = items[place]
    if len(path) > 1 and chosen.constructed:
        middle = tlv.encode(chosen.tag, bent_inside(chosen.value, path[1:], change, other))
    else:
        middle = (b"", chosen.raw * 2, tlv.encode(chosen.tag, other), tlv.encode(chosen.tag ^ 1, chosen.value))[
            change
        ]
    return b"".join((*(item.raw for item in items[:place]), middle, *(item.raw for item in items[place + 1 :])))


bent = st.one_of(
    st.builds(
        bent_octets,
        st.sampled_from(PACKAGES),
        st.lists(st.tuples(POINTED, st.integers(0, 255)), min_size=1, max_size=3),
    ),
    st.builds(
        bent_inside,
        st.sampled_from(PACKAGES),
        st.lists(st.integers(0, 60), min_size=1, max_size=4),
        st.integers(0, 3),
        st.binary(max_size=6),
    ),
    st.builds(lambda octets, end: octets[: end % len(octets)], st.sampled_from(PACKAGES), POINTED),
    st.builds(
        lambda octets, order: b"".join(each.raw for each in order),
        st.just(b""),
        st.sampled_from(PACKAGES).flatmap(lambda octets: st.permutations(read_package(octets))),
    ),
)


def check(package: bytes) -> None:
    """Check that a card takes a package whole or says why not, and that its description is a text or a refusal."""
    storage = MemoryStorage()
    euicc = Euicc.create(storage, EID)
    before = storage.load()
    refusal = None
    try:
        installed = euicc.load_profile_package(package)
    except ProfileRefusedError as error:
        refusal = error
    else:
        state = decode_state(storage.load())
        assert [profile.iccid for profile in state.profiles] == [installed.iccid.to_bytes()]
        assert encode_state(state) == storage.load()
        assert enable(euicc, installed.iccid) in (0, 3)
        assert send(euicc, "00A40004023F00")[1] == "9000"
    if refusal is not None:
        assert refusal.reason in REASONS
        assert refusal.status is not PeStatus.OK
        told = decode_euicc_response(encode_euicc_response(refusal.status, refusal.element))
        assert told == [(refusal.status, refusal.element)]
        assert storage.load() == before
    try:
        elements = read_package(package)
        lines = describe.describe_header(ProfileHeader.decode(elements[0].value))
        lines += [describe.describe_element(each) for each in elements]
        assert all(isinstance(line, str) for line in lines)
        uses_test_algorithm(elements)
        assert list(describe.differences(elements, elements)) == []
    except KswifiError:
        pass


@pytest.mark.parametrize("examples", [150, pytest.param(5_000, marks=pytest.mark.soak)])
def test_bent_packages(examples: int) -> None:
    @settings(deadline=None, max_examples=examples)
    @given(bent)
    def any_of_them(package: bytes) -> None:
        check(package)

    run: Callable[[], None] = any_of_them
    run()


@pytest.mark.parametrize("package", PACKAGES, ids=["own", *(path.stem for path in sorted(TS48.glob("*.der")))])
def test_a_package_without_any_one_of_its_elements(package: bytes) -> None:
    elements = read_package(package)
    for missing in range(len(elements)):
        check(b"".join(each.raw for place, each in enumerate(elements) if place != missing))
