"""Milenage against the published test sets (TS 35.207, TS 35.208), and the card's side against the network's."""

import json
from pathlib import Path

import pytest

from kswifi.aka import milenage

DATA = Path(__file__).parents[2] / "data" / "milenage"
K, OPC, RAND = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))


def load(name: str) -> list[dict[str, bytes]]:
    return [
        {key: bytes.fromhex(value) for key, value in entry.items() if isinstance(value, str)}
        for entry in json.loads((DATA / name).read_text())
    ]


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def test_all_twenty_sets_are_there() -> None:
    assert len(load("ts35208.json")) == 20


@pytest.mark.parametrize("sets", load("ts35208.json") + load("ts35207.json"))
def test_the_functions_match_the_published_test_sets(sets: dict[str, bytes]) -> None:
    assert milenage.opc(sets["k"], sets["op"]) == sets["opc"]
    k, opc, rand = sets["k"], sets["opc"], sets["rand"]
    assert milenage.f1(k, opc, rand, sets["sqn"], sets["amf"]) == sets["f1"]
    assert milenage.f1_star(k, opc, rand, sets["sqn"], sets["amf"]) == sets["f1_star"]
    assert milenage.f2(k, opc, rand) == sets["f2"]
    assert milenage.f3(k, opc, rand) == sets["f3"]
    assert milenage.f4(k, opc, rand) == sets["f4"]
    assert milenage.f5(k, opc, rand) == sets["f5"]
    assert milenage.f5_star(k, opc, rand) == sets["f5_star"]


@pytest.mark.parametrize("entry", load("kasme.json"))
def test_kasme_matches_known_answers(entry: dict[str, bytes]) -> None:
    derived = milenage.kasme(entry["ck"], entry["ik"], entry["plmn"], xor(entry["sqn"], entry["ak"]))
    assert derived == entry["kasme"]


def test_a_card_verifies_what_the_network_made() -> None:
    vector = milenage.generate_vector(K, OPC, 0x123456, milenage.AMF_SEPARATION_BIT, RAND)
    answer = milenage.verify_autn(K, OPC, vector.rand, vector.autn)
    assert (answer.sqn, answer.amf) == (0x123456, b"\x80\x00")
    assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)


@pytest.mark.parametrize("octet", range(milenage.AUTN_OCTETS))
def test_any_altered_octet_of_autn_is_a_mac_failure(octet: int) -> None:
    vector = milenage.generate_vector(K, OPC, 7, milenage.AMF_SEPARATION_BIT, RAND)
    altered = bytearray(vector.autn)
    altered[octet] ^= 0x01
    with pytest.raises(milenage.MacFailureError):
        milenage.verify_autn(K, OPC, RAND, bytes(altered))


def test_another_key_is_a_mac_failure() -> None:
    vector = milenage.generate_vector(bytes(16), OPC, 7, milenage.AMF_SEPARATION_BIT, RAND)
    with pytest.raises(milenage.MacFailureError):
        milenage.verify_autn(K, OPC, RAND, vector.autn)


@pytest.mark.parametrize("sqn_ms", [0, 1, 0x1234567890, milenage.SQN_MAX])
def test_auts_carries_the_cards_sequence_number(sqn_ms: int) -> None:
    auts = milenage.build_auts(K, OPC, RAND, sqn_ms)
    assert len(auts) == milenage.AUTS_OCTETS
    assert milenage.verify_auts(K, OPC, RAND, auts) == sqn_ms


@pytest.mark.parametrize("octet", range(milenage.AUTS_OCTETS))
def test_any_altered_octet_of_auts_is_a_mac_failure(octet: int) -> None:
    altered = bytearray(milenage.build_auts(K, OPC, RAND, 99))
    altered[octet] ^= 0x80
    with pytest.raises(milenage.MacFailureError):
        milenage.verify_auts(K, OPC, RAND, bytes(altered))


def test_auts_belongs_to_its_challenge() -> None:
    auts = milenage.build_auts(K, OPC, RAND, 99)
    with pytest.raises(milenage.MacFailureError):
        milenage.verify_auts(K, OPC, bytes(16), auts)


def test_wrong_lengths_are_named() -> None:
    with pytest.raises(milenage.MilenageError, match="k has 16 octets, not 15"):
        milenage.f2(K[:15], OPC, RAND)
    with pytest.raises(milenage.MilenageError, match="autn has 16 octets"):
        milenage.verify_autn(K, OPC, RAND, b"")
    with pytest.raises(milenage.MilenageError, match="48 bits"):
        milenage.generate_vector(K, OPC, milenage.SQN_MAX + 1, b"\x80\x00", RAND)
    with pytest.raises(milenage.MilenageError, match="plmn has 3 octets"):
        milenage.kasme(K, K, b"\x02", bytes(6))


def test_keys_stay_out_of_repr() -> None:
    vector = milenage.generate_vector(K, OPC, 7, milenage.AMF_SEPARATION_BIT, RAND)
    answer = milenage.verify_autn(K, OPC, RAND, vector.autn)
    for secret in (vector.xres, vector.ck, vector.ik):
        assert repr(secret)[2:-1] not in repr(vector) + repr(answer)
