"""`kswifi keys`: the key that signs packages and session records, and its rotation."""

import json
from typing import Annotated

import typer

from kswifi.kernel.errors import Refusal

keys_app = typer.Typer(help="The key that signs packages and records: list, rotate.", no_args_is_help=True)
NO_KEY_YET = Refusal("no_signing_key_yet", "There is no signing key: the first start of the server makes it.")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]


@keys_app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the key in use and the retired keys, which are published until 400 days after their retirement."""
    from kswifi.data_directory.layout import installation_of
    from kswifi.sessions.signing import SessionSigningKey
    from kswifi.sessions.signing_rotation import read_retired_keys
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.session_signing_key.is_file():
        raise NO_KEY_YET(f"{installation.session_signing_key} is not there")
    key = SessionSigningKey.from_pem(installation.session_signing_key.read_bytes())
    retired = [(it.jwk.thumbprint(), it.retired_at) for it in read_retired_keys(installation.retired_signing_keys)]
    if as_json:
        rows = [{"kid": kid, "retired_at": at.isoformat()} for kid, at in retired]
        print(json.dumps({"in_use": key.kid, "retired": rows}))
        return
    print(f"{key.kid}  in use")
    for kid, at in retired:
        print(f"{kid}  retired {at:%Y-%m-%d %H:%M} UTC")


@keys_app.command("rotate")
def rotate_key() -> None:
    """Sign with a new key from the next start on; the old public key stays published. Stop the server first."""
    from kswifi.data_directory.layout import installation_of
    from kswifi.kernel.clock import SystemClock
    from kswifi.sessions.signing_rotation import rotate
    from kswifi.settings import load_settings

    installation = installation_of(load_settings())
    if not installation.session_signing_key.is_file():
        raise NO_KEY_YET(f"{installation.session_signing_key} is not there")
    installation.open()
    try:
        key = rotate(installation.session_signing_key, installation.retired_signing_keys, SystemClock().now())
    finally:
        installation.close()
    print(f"{key.kid} signs from the next start on. Make a backup: the old one has the old key alone.")
