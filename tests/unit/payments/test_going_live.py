"""From the sandbox to real money: nothing of the rehearsal counts, and the sandbox serves no more."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from kswifi.books.service import balances
from kswifi.books.verify import verify_book
from kswifi.bootstrap.lab import lab_config
from kswifi.bootstrap.parts.payments import make_gateway
from kswifi.cli.main import app
from kswifi.data_directory.layout import Installation
from kswifi.payments.going_live import close_rehearsal
from kswifi.payments.passes import pass_of
from kswifi.payments.rules import PassRules
from kswifi.sessions.model import SessionState
from kswifi.settings import SettingsInvalidError, load_settings
from tests.support.session_roads import ADA, Road, open_road

LIVE = {"KSWIFI_PAYSTACK_SECRET_KEY": "sk_live_0123456789abcdef", "KSWIFI_PAYMENTS_EMAIL": "pay@example.ng"}


async def standing(road: Road) -> dict[str, int]:
    def look(connection: Connection) -> dict[str, int]:
        assert verify_book(connection).findings == ()
        return {str(account): kobo for account, kobo in balances(connection).items() if kobo}

    return await road.database.read(look)


@pytest.mark.sqlite
async def test_a_rehearsal_ends_and_the_book_goes_on_from_zero(tmp_path: Path) -> None:
    async with open_road(tmp_path, passes=PassRules()) as road:
        for _ in range(3):
            await road.pay()
        session = await road.downloads.order(ADA, "unlimited")
        await road.settle()
        real = await road.pay()
        await road.database.write(
            lambda connection: connection.execute(
                text("UPDATE payment SET sandbox = 0 WHERE reference = :it"), {"it": real.reference}
            )
        )
        assert await close_rehearsal(road.database) == 3
        assert await close_rehearsal(road.database) == 0
        await road.settle()
        assert (await road.now(session)).state is SessionState.REVOKED
        assert await standing(road) == {"cash_at_gateway": 80_000, "deferred_revenue": -80_000}
        assert await road.database.read(lambda connection: pass_of(connection, ADA, road.clock.now())) is None


def test_once_a_real_gateway_is_configured_the_sandbox_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    installation = Installation(tmp_path)
    installation.keys_dir.mkdir()
    sandbox = lab_config(load_settings()).payments
    assert sandbox is not None
    assert sandbox.face == "sandbox"
    assert getattr(make_gateway(load_settings(), installation), "name", None) == "sandbox"
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert lab_config(settings).payments is None
    gateway = make_gateway(settings, installation)
    assert gateway is not None
    assert (gateway.name, gateway.sandbox) == ("paystack", False)
    monkeypatch.setenv("KSWIFI_PAYSTACK_SECRET_KEY", "sk_test_0123456789abcdef")
    gateway = make_gateway(load_settings(), installation)
    assert gateway is not None
    assert gateway.sandbox
    assert "0123456789abcdef" not in repr(load_settings())


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KSWIFI_PAYSTACK_SECRET_KEY": "sk_live_0123456789abcdef"}, "payments_email"),
        (LIVE | {"KSWIFI_PAYSTACK_SECRET_KEY": "pk_live_0123456789abcdef"}, "sk_live_ or sk_test_"),
        (LIVE | {"KSWIFI_PAYSTACK_URL": "ftp://api.paystack.co"}, "KSWIFI_PAYSTACK_URL"),
        ({"KSWIFI_PASS_FAIR_USE_OCTETS": "10"}, "KSWIFI_PASS_FAIR_USE_OCTETS"),
    ],
)
def test_settings_that_could_take_no_payment_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalidError, match=words) as refused:
        load_settings()
    assert "0123456789" not in str(refused.value)


def test_check_lists_what_is_configured_and_what_is_not_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSWIFI_DATA_DIR", str(tmp_path))
    fresh = CliRunner().invoke(app, ["payments", "check"])
    assert fresh.exit_code == 1
    assert "SANDBOX" in fresh.output
    assert list(tmp_path.iterdir()) == []  # looking makes nothing
    monkeypatch.setenv("KSWIFI_MODE", "own-core")
    none = CliRunner().invoke(app, ["payments", "check"])
    assert none.exit_code == 0
    assert "No gateway takes payments" in none.output
    for name, value in (LIVE | {"KSWIFI_PAYSTACK_URL": "http://127.0.0.1:9"}).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["payments", "check"])
    assert result.exit_code == 1
    for words in (
        "LIVE: money moves",
        "NO: Paystack did not answer",
        "https:// address",
        "not Paystack",
        "unconfirmed",
    ):
        assert words in result.output
    found = json.loads(CliRunner().invoke(app, ["payments", "check", "--json"]).output)
    assert found["webhook"] == f"{load_settings().origin}/webhooks/paystack"
    assert len(found["unconfirmed"]) >= 5
    assert "0123456789abcdef" not in result.output


def test_a_live_key_is_no_rehearsal() -> None:
    result = CliRunner().invoke(app, ["payments", "rehearse", "--key", "sk_live_0123456789abcdef"])
    assert result.exit_code == 1
    assert "never a live one" in str(result.exception)
