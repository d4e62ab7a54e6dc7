"""Refused Diameter peers: counted always, logged at most once a minute for each address and reason."""

from structlog.testing import capture_logs

from kswifi.servers.diameter.peer_rules import PeerRules, RefusedPeers


def test_repeated_refusals_are_one_line_a_minute_and_all_are_counted() -> None:
    seconds = 0.0
    refused = RefusedPeers(lambda: seconds)
    with capture_logs() as lines:
        for _ in range(500):
            refused.note("identity", "10.0.0.9", "evil.example.org")
        refused.note("identity", "10.0.0.10", "evil.example.org")
        seconds = 60.0
        refused.note("identity", "10.0.0.9", "evil.example.org")
    assert refused.by_reason["identity"] == 502
    assert [(line["address"], line["more_since_the_last_line"]) for line in lines] == [
        ("10.0.0.9", 0),
        ("10.0.0.10", 0),
        ("10.0.0.9", 499),
    ]
    assert lines[0]["event"] == "diameter_peer_refused"
    assert lines[0]["origin_host"] == "evil.example.org"


def test_refusals_from_a_million_addresses_keep_no_million_entries() -> None:
    seconds = 0.0
    refused = RefusedPeers(lambda: seconds)
    with capture_logs() as lines:
        for number in range(3_000):
            refused.note("address", f"10.0.{number >> 8}.{number & 255}")
        assert len(lines) == 1_000
        seconds = 61.0
        refused.note("address", "192.0.2.1")
    assert len(lines) == 1_001
    assert refused.by_reason["address"] == 3_001
    assert len(refused._logged) == 1


def test_the_default_is_any_name_from_this_machine() -> None:
    rules = PeerRules()
    assert rules.admits("anybody", "127.0.0.1")
    assert rules.admits("anybody", "::1")
    assert not rules.knows_address("10.0.0.1")
    assert not rules.knows_address("")
