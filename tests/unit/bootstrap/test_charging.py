"""The operator's settings as charging has them."""

import os

import pytest

from kswifi.bootstrap.charging import allowed_peers_of, policy_of
from kswifi.charging.policy import ChargingPolicy
from kswifi.diameter.constants import CcFailureHandling, DirectDebitingFailureHandling, FinalUnitAction
from kswifi.settings import PREFIX, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


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


def test_who_may_connect() -> None:
    assert allowed_peers_of(load_settings(diameter_peers=("smf",))) == frozenset({"gateway.kswifi"})
    assert allowed_peers_of(load_settings(mode="own-core")) is None
    assert allowed_peers_of(load_settings(mode="own-core", diameter_peers=("*", "smf"))) is None
    assert allowed_peers_of(load_settings(mode="own-core", diameter_peers=("smf", "pgw"))) == frozenset(
        {"smf", "pgw"}
    )
