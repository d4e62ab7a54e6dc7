"""A PostgreSQL server for the tests, on a Unix socket in a temporary folder; one for each test process.

With DATABASE_OF_TESTS=postgresql, the databases that tests open are of this server instead of SQLite.
"""

import atexit
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import URL, create_engine, text

WANTED: Final = os.environ.get("DATABASE_OF_TESTS", "sqlite") == "postgresql"
_TEMPLATE: Final = "kswifi_template"
_SERVER_USER: Final = "postgres"  # made by Debian's package; the server refuses to run as root


class PostgresqlMissingError(Exception):
    """No PostgreSQL server is installed: run tools/test_needs.sh."""


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    program = str(found[0]) if found else shutil.which(name)
    if program is None:
        raise PostgresqlMissingError(f"there is no {name}: sh tools/test_needs.sh installs PostgreSQL")
    return program


def _run(*command: str) -> None:
    """Run a program of the server as a user who is not root."""
    as_user = ("runuser", "-u", _SERVER_USER, "--") if os.getuid() == 0 else ()
    finished = subprocess.run((*as_user, *command), check=False, capture_output=True, text=True, cwd="/")
    if finished.returncode:
        raise PostgresqlMissingError(f"{command[0]}: {finished.stderr or finished.stdout}")


@cache
def server_folder() -> Path:
    """Start the server of this process; return the folder of its socket. It stops when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="kswifi-pg-"))
    data = folder / "data"
    data.mkdir(mode=0o700)
    if os.getuid() == 0:
        owner = pwd.getpwnam(_SERVER_USER)
        for path in (folder, data):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    folder.chmod(0o755)
    _run(_program("initdb"), "-D", str(data), "-U", "kswifi", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
    log = str(data / "server.log")
    _run(_program("pg_ctl"), "-D", str(data), "-w", "-l", log, "-o", _options(folder), "start")

    def stop() -> None:
        _run(_program("pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return folder


def restart_server() -> None:
    """Stop the server at once, which cuts all connections, and start it again."""
    folder = server_folder()
    data = str(folder / "data")
    _run(_program("pg_ctl"), "-D", data, "-w", "-m", "fast", "stop")
    _run(_program("pg_ctl"), "-D", data, "-w", "-l", f"{data}/server.log", "-o", _options(folder), "start")


def _options(folder: Path) -> str:
    # Without fsync: a test that cuts the power is about the journal, and the server itself outlives the tests.
    return f"-c listen_addresses= -k {folder} -c fsync=off -c max_connections=400 -c shared_buffers=32MB"


def database_url(name: str) -> URL:
    """Return the URL of a database of the server."""
    return URL.create("postgresql", username="kswifi", database=name, query={"host": str(server_folder())})


def url_of_folder(folder: Path) -> URL:
    """Return the URL of the database that belongs to a test's folder; it need not exist."""
    return database_url("t" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24])


def fresh_url(folder: Path) -> str:
    """Create the empty database of a data directory unless it exists; return its URL for the settings."""
    url = url_of_folder(folder)
    create_database(url)
    return url.render_as_string(hide_password=False)


def create_database(url: URL, *, template: str | None = None, options: str = "") -> bool:
    """Create a database, with these further words of CREATE DATABASE; return False if it exists."""
    engine = create_engine(
        database_url("postgres").set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            known = connection.scalar(
                text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": url.database}
            )
            if known:
                return False
            base = f' TEMPLATE "{template}"' if template else ""
            connection.exec_driver_sql(f'CREATE DATABASE "{url.database}"{base} {options}')
            return True
    finally:
        engine.dispose()


def template_name() -> str:
    """Return the name of the migrated database that others are copied from; the caller migrates it."""
    return _TEMPLATE
