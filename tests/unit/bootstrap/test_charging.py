"""The operator's settings as charging has them."""

import os

import pytest

from kswifi.bootstrap.parts.charging import peer_rules_of, policy_of
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import (
    APPLICATION_CREDIT_CONTROL,
    APPLICATION_S6A,
    CcFailureHandling,
    DirectDebitingFailureHandling,
    FinalUnitAction,
)
from kswifi.settings import PREFIX, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KSWIFI_DATA_DIR", "/srv/kswifi")  # own-core has no default


def test_the_defaults_are_those_of_the_policy() -> None:
    settings = load_settings(mode="own-core")
    assert policy_of(settings) == ChargingPolicy(redirect_url="http://localhost:8080")
    assert policy_of(load_settings()).control_only_peers == {"gateway.kswifi"}


def test_every_setting_arrives() -> None:
    settings = load_settings(
        mode="own-core",
        control_only_peers=("gw.example.org",),
        grant_cap_octets=500_000,
        grant_seconds=5,
        validity_seconds=120,
        shared_validity_seconds=20,
        control_only_validity_seconds=10,
        grace_seconds=60,
        quota_holding_seconds=30,
        quota_threshold_percent=10,
        time_quota_seconds=100,
        final_unit_action="redirect",
        redirect_url="https://example.org/top-up",
        refuse_in_group=True,
        cc_failure_handling="retry_and_terminate",
        direct_debiting_failure_handling="continue",
    )
    assert policy_of(settings) == ChargingPolicy(
        control_only_peers=frozenset({"gw.example.org"}),
        max_grant_octets=500_000,
        min_grant_octets=500_000,
        grant_seconds=5,
        validity_seconds=120,
        shared_validity_seconds=20,
        control_only_validity_seconds=10,
        grace_seconds=60,
        quota_holding_seconds=30,
        threshold_percent=10,
        time_quota_seconds=100,
        final_unit_action=FinalUnitAction.REDIRECT,
        redirect_url="https://example.org/top-up",
        refuse_in_group=True,
        failure_handling=CcFailureHandling.RETRY_AND_TERMINATE,
        direct_debiting_failure_handling=DirectDebitingFailureHandling.CONTINUE,
    )


SMF, GATEWAY = "smf.localdomain", "gateway.kswifi"


@pytest.mark.parametrize(
    ("given", "admitted", "refused"),
    [
        (
            {"mode": "embedded"},
            [(GATEWAY, "127.0.0.1"), (GATEWAY, "::1")],
            [(SMF, "127.0.0.1"), (GATEWAY, "10.0.0.7")],
        ),
        ({}, [(SMF, "127.0.0.1"), ("anybody", "::1")], [(SMF, "10.0.0.7"), (SMF, "fd00::7")]),
        ({"diameter_peers": "*"}, [(SMF, "127.0.0.1")], [(SMF, "10.0.0.7")]),
        ({"diameter_peers": SMF}, [(SMF, "127.0.0.1")], [("pgw", "127.0.0.1"), (SMF, "10.0.0.7")]),
        (
            {"diameter_peers": f"{SMF}@10.0.0.0/24,{SMF}@fd00::/64, pgw"},
            [(SMF, "10.0.0.7"), ("SMF.LocalDomain", "fd00::7"), ("pgw", "127.0.0.1"), (SMF, "::ffff:10.0.0.7")],
            [(SMF, "10.0.1.7"), ("pgw", "10.0.0.7"), (SMF, "127.0.0.1"), ("other", "10.0.0.7")],
        ),
        (
            {"diameter_peers": SMF, "diameter_trusted_networks": "10.0.0.0/24"},
            [(SMF, "10.0.0.7"), (SMF, "127.0.0.1")],
            [("pgw", "10.0.0.7"), (SMF, "10.0.1.7")],
        ),
        (
            {"diameter_peers": "*", "diameter_trusted_networks": "10.0.0.0/24"},
            [("anybody", "10.0.0.7"), ("anybody", "127.0.0.1")],
            [("anybody", "10.0.1.7")],
        ),
    ],
)
def test_peers_are_admitted_by_name_and_address(
    given: dict[str, str], admitted: list[tuple[str, str]], refused: list[tuple[str, str]]
) -> None:
    rules = peer_rules_of(load_settings(**{"mode": "own-core", **given}))
    assert [who for who in admitted if not rules.admits(*who) or not rules.knows_address(who[1])] == []
    assert [who for who in refused if rules.admits(*who)] == []


def test_vectors_go_only_to_the_peers_that_are_listed_for_them() -> None:
    embedded = peer_rules_of(load_settings())
    assert embedded.serves(APPLICATION_S6A, GATEWAY)
    assert not embedded.serves(APPLICATION_S6A, SMF)
    charging_alone = peer_rules_of(load_settings(mode="own-core", diameter_peers=SMF))
    assert not charging_alone.serves(APPLICATION_S6A, SMF)
    assert charging_alone.serves(APPLICATION_CREDIT_CONTROL, SMF)
    both = peer_rules_of(
        load_settings(mode="own-core", diameter_peers=SMF, diameter_vector_peers="MME.localdomain")
    )
    assert both.serves(APPLICATION_S6A, "mme.LocalDomain")
    assert not both.serves(APPLICATION_S6A, SMF)


def test_only_listed_agents_forward_for_others() -> None:
    rules = peer_rules_of(load_settings(mode="own-core", diameter_peers=SMF, diameter_agents="DRA.localdomain"))
    assert rules.is_agent("dra.localdomain")
    assert not rules.is_agent(SMF)
