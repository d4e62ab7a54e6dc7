"""The whole road with the control plane on PostgreSQL, through a kill of the server and a restart of PostgreSQL."""

from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support import postgresql
from tests.support.kills import Kill, KillingTeller, PersistentRoad
from tests.support.system import OFFERS, running_system


def test_a_session_is_used_to_its_last_octet_although_the_server_is_killed(tmp_path: Path) -> None:
    url = postgresql.fresh_url(tmp_path / "var")
    kills = [Kill("order", "server", 0.05), Kill("browse", "server", 0.3)]
    with running_system(tmp_path, database_url=url, grant_cap_octets=100_000) as system:
        teller = KillingTeller(system, kills)
        with system.road(teller) as road:
            walker = PersistentRoad(system, road, teller)
            try:
                walker.walk("day-1mb")
            finally:
                teller.join()
            session_id = road.walked.session_id
        assert road.walked.final["state"] == "exhausted"
        assert not (system.data_dir / "control.db").exists()
    account = system.account(session_id)
    assert (account.used, account.overrun) == (OFFERS["day-1mb"], 0)
    assert _state_of(url, session_id) == "exhausted"


def test_orders_go_on_after_postgresql_was_restarted(tmp_path: Path) -> None:
    url = postgresql.fresh_url(tmp_path / "var")
    with running_system(tmp_path, database_url=url) as system, system.stored("day-1mb") as first:
        postgresql.restart_server()
        with system.stored("day-1mb") as second:
            assert first.walked.session_id != second.walked.session_id
            assert _state_of(url, second.walked.session_id) == "stored"


def _state_of(url: str, session_id: str) -> str:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            query = text("SELECT state FROM internet_session WHERE session_id = :id")
            return str(connection.scalar(query, {"id": session_id}))
    finally:
        engine.dispose()
