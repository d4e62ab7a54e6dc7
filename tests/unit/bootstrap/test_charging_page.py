"""docs/charging.md speaks of what there is: every setting, metric and refusal by its name."""

import re
from pathlib import Path

from kswifi.bootstrap.metrics.charging import ChargingMetrics
from kswifi.diameter.constants import ResultCode
from kswifi.ledger.batch import LedgerFigures
from kswifi.servers.diameter.application import NodeIdentity
from kswifi.servers.diameter.node import DiameterNode
from kswifi.settings.charging import ChargingSettings
from tests.support.charging import Charging

PAGE = (Path(__file__).parents[3] / "docs" / "charging.md").read_text()


def test_every_setting_is_explained() -> None:
    assert set(ChargingSettings.model_fields) <= set(re.findall(r"`([a-z_]+)`", PAGE))


def test_metrics_are_named_as_they_are() -> None:
    node = DiameterNode(host="h", port=0, identity=NodeIdentity("o", "r", 1), applications=())
    figures = LedgerFigures(0, 0, 0, 0, 0)
    made = {
        f"{it.name}_total" if it.type == "counter" else it.name
        for it in ChargingMetrics(Charging().service, node, lambda: figures).collect()
    }
    named = set(re.findall(r"`(kswifi_[a-z_]+)", PAGE))
    assert named == made


def test_refusals_have_the_numbers_that_are_used() -> None:
    section = PAGE[PAGE.index("## What is refused") : PAGE.index("## When something fails")]
    told = {int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE) for code in row.split(",")}
    never_sent = {ResultCode.INVALID_AVP_BITS}
    assert told == {int(code) for code in ResultCode if code >= 3000} - never_sent
