"""`kswifi package ...` and `kswifi ledger ...`: inspect files on disk without changing them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kswifi.kernel.errors import Refusal
from kswifi.kernel.pasted import clean_digits
from kswifi.kernel.quantities import format_octets

if TYPE_CHECKING:
    from kswifi.data_directory.layout import Installation
    from kswifi.session_package import VerifiedPackage

package_app = typer.Typer(help="Session packages: the file a phone downloads.", no_args_is_help=True)
ledger_app = typer.Typer(help="The ledger's journal, read without changing it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
KEYS_NOT_FOUND = Refusal("keys_not_found", "No public keys to verify with.")

PublicKeys = Annotated[
    str | None,
    typer.Option(help="The server's keys: a JWK Set file, or its address (http://.../.well-known/jwks.json)."),
]


@package_app.command("verify")
def verify_package_command(
    file: Annotated[Path, typer.Argument(help="The package.")],
    keys: PublicKeys = None,
    iccid: Annotated[
        str | None,
        typer.Option(help="Also require that it is for this card.", parser=clean_digits, metavar="TEXT"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every octet of a package: format, signature, digests, card, validity; print what is wrong."""
    from msgspec import to_builtins

    from kswifi.kernel.clock import SystemClock
    from kswifi.session_package import read_key_set, verify_package_file

    package = verify_package_file(file, read_key_set(_keys(keys)), iccid, SystemClock().now())
    if as_json:
        print(json.dumps({"verified": True, "kid": package.kid, **to_builtins(package.manifest)}))
    else:
        _show_package(file, package)


@package_app.command("show")
def show_package_command(
    file: Annotated[Path, typer.Argument(help="The package.")],
    keys: PublicKeys = None,
    as_json: AsJson = False,
) -> None:
    """Print the content of a package, with its activation code. It is verified, except that it may have expired."""
    from msgspec import to_builtins

    from kswifi.kernel.clock import SystemClock
    from kswifi.session_package import read_key_set, verify_package_file

    package = verify_package_file(file, read_key_set(_keys(keys)), None, None)
    manifest, expired = package.manifest, SystemClock().now() >= package.valid_until
    if as_json:
        held = {
            "kid": package.kid,
            **to_builtins(manifest),
            "expired": expired,
            "activation": dict(package.activation),
            "session_record": None if package.session_record is None else package.session_record.hex(),
            "terms": package.terms,
        }
        print(json.dumps(held))
        return
    _show_package(file, package)
    if expired:
        print("  EXPIRED")
    manual = package.activation.get("manual_setup", {})
    if package.activation:
        print(f"  activation {package.activation['activation_code']}")
    for name, value in manual.items():
        print(f"    {name.replace('_', ' ')}: {value}")
    if package.session_record is not None:
        print(f"  record     {package.session_record.hex()}")
    print(f"\n{package.terms}")


@ledger_app.command("verify")
def verify_ledger(as_json: AsJson = False) -> None:
    """Check every record and digest, every sum, and every snapshot; exit status 1 if anything is damaged."""
    from msgspec import to_builtins

    from kswifi.ledger import inspect as ledger

    found = ledger.verify(_ledger_dir())
    _print(to_builtins(found), as_json)
    if found.damage:
        raise SystemExit(1)


@ledger_app.command("show")
def show_wallet(
    identifier: Annotated[str, typer.Argument(help="A wallet (an eSIM's id) or an account (a session's id).")],
    as_json: AsJson = False,
) -> None:
    """Show a wallet with its accounts and reservations."""
    from msgspec import to_builtins

    from kswifi.ledger import inspect as ledger

    folder = _ledger_dir()
    shown = ledger.show(folder, wallet_id=identifier) or ledger.show(folder, account_id=identifier)
    if shown is None:
        raise SystemExit(f"kswifi: the ledger knows no wallet or account {identifier}")
    _print(to_builtins(shown), as_json)


@ledger_app.command("replay")
def replay_ledger(as_json: AsJson = False) -> None:
    """Replay the journal from its first record, and count its contents."""
    from msgspec import to_builtins

    from kswifi.ledger import inspect as ledger

    _print(to_builtins(ledger.replay(_ledger_dir())), as_json)


def _ledger_dir() -> Path:
    return _installation().ledger_dir


def _installation() -> "Installation":
    from kswifi.data_directory.layout import installation_of
    from kswifi.settings import load_settings

    return installation_of(load_settings())


def _keys(given: str | None) -> bytes:
    """Return the JWK Set from the given file or URL, else that of this installation."""
    if given is not None and given.startswith(("http://", "https://")):
        import httpx2

        return httpx2.get(given, timeout=10).raise_for_status().content
    if given is not None:
        return Path(given).read_bytes()
    installation = _installation()
    own = installation.session_signing_key
    if not own.exists():
        raise KEYS_NOT_FOUND(
            "name the server's public keys: --keys FILE, or --keys http://.../.well-known/jwks.json"
        )
    from kswifi.sessions.signing_rotation import read_signing_key

    return json.dumps(read_signing_key(own.read_bytes(), installation.retired_signing_keys).jwks()).encode()


def _show_package(file: Path, package: "VerifiedPackage") -> None:
    manifest = package.manifest
    allowance = "uncapped" if manifest.allowance_octets is None else format_octets(manifest.allowance_octets)
    print(
        f"{file}: genuine and whole\n"
        f"  session    {manifest.session_id} ({manifest.offer_id})\n"
        f"  allowance  {allowance}\n"
        f"  valid      until {package.valid_until:%Y-%m-%d %H:%M} UTC\n"
        f"  card       {manifest.iccid}\n"
        f"  signed by  {package.kid}"
    )


def _print(what: Any, as_json: bool) -> None:
    print(json.dumps(what) if as_json else json.dumps(what, indent=2))
