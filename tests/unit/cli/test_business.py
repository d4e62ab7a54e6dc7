"""`kswifi lab business`: the people are those of the seed, and the console has something to show afterwards."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.business.plan import DAYS, Fate, customers
from kswifi.cli.main import app


def call(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.output


def test_a_seed_gives_the_same_people_and_another_one_others() -> None:
    people = customers(500, 7)
    assert people == customers(500, 7)
    assert people != customers(500, 8)
    assert len({it.identifier for it in people}) == len({it.number for it in people}) == 500
    assert all(timedelta() <= it.signs_up < timedelta(days=DAYS + 1) for it in people)
    fates = Counter(it.fate for it in people)
    assert set(fates) == set(Fate)
    farm = [it for it in people if it.fate is Fate.FARMS]
    assert (len(farm), {it.device for it in farm}) == (20, {"farm"})
    assert max(it.signs_up for it in farm) - min(it.signs_up for it in farm) < timedelta(hours=3)


def test_an_installation_with_data_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    (tmp_path / "control.db").write_bytes(b"something")
    done = CliRunner().invoke(app, ["lab", "business"])
    assert getattr(done.exception, "code", None) == "not_a_new_installation"
    assert (tmp_path / "control.db").read_bytes() == b"something"


@pytest.mark.soak
def test_the_console_has_something_to_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path / "data"))
    did = json.loads(call("lab", "business", "--customers", "24", "--seed", "3", "--json"))
    assert did["signed_up"] == 24
    for name in ("ordered", "stored", "used_octets", "paid"):
        assert did[name] > 0, name
    assert "6 by device" in call("fraud", "clusters")
    assert call("fraud", "holds").count("device, 6 accounts") == 6
    assert json.loads(call("audit", "verify", "--json"))["findings"] == []
    assert json.loads(call("ledger", "verify"))["damage"] == []
    assert json.loads(call("books", "verify", "--json"))["balances_kobo"]["earned_revenue"] < 0
    exported = tmp_path / "figures.csv"
    call("figures", "export", str(exported))
    rows = [row.split(",") for row in exported.read_text().splitlines()]
    used = sum(int(row[3]) for row in rows if row[1:3] == ["octets", ""])
    assert used == did["used_octets"]
    assert "0 figures differed" in call("figures", "rebuild")
