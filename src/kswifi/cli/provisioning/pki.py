"""`kswifi pki ...`: the certificates of this installation's SM-DP+, and options of `kswifi serve --role rsp`."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kswifi.kernel.errors import Refusal

if TYPE_CHECKING:
    from kswifi.bootstrap.parts.provisioning.smdp import RspOptions
    from kswifi.rsp.pki import Pki
    from kswifi.settings import Settings

pki_app = typer.Typer(help="Certificates of remote SIM provisioning.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--pki", help="The folder; the installation's own (var/pki) if not given.")
]
SERVE_OPTIONS_INVALID = Refusal("serve_options_invalid", "Options of `kswifi serve` that do not go together.")


@pki_app.command("show")
def show(
    pki: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Show the certificates, their validity, and whether their keys are here. Keys are never shown."""
    from kswifi.esim.smdp.pki_folder import load_folder, revoked_in
    from kswifi.kernel.clock import SystemClock

    folder = pki or _own_folder()
    loaded, now = load_folder(folder), SystemClock().now()
    rows = [*_rows(loaded, now)]
    revoked = len(revoked_in(folder, loaded, now))
    if as_json:
        print(json.dumps({"folder": str(folder), "certificates": rows, "revoked": revoked}))
        return
    print(f"{folder}: {len(rows)} certificates, {revoked} revoked")
    for row in rows:
        print(
            f"  {row['role']:8} {row['curve']:5} until {row['not_after'][:10]}  {'key' if row['key'] else '-  '}  "
            f"{row['key_id']}  {row['subject']}" + ("  EXPIRED" if row["expired"] else "")
        )


@pki_app.command("init")
def init(
    smdp_address: Annotated[str, typer.Option(help="The SM-DP+'s name in activation codes.")] = "localhost",
    pki: Folder = None,
) -> None:
    """Make a PKI of your own (CI, servers, EUM and a card, on both curves), into an empty folder only."""
    from kswifi.bootstrap.parts.provisioning.smdp import EID_PREFIX, ORGANIZATION
    from kswifi.esim.smdp.pki_folder import init_folder
    from kswifi.kernel.clock import SystemClock

    folder = pki or _own_folder()
    host = smdp_address.rpartition(":")[0] or smdp_address
    made = init_folder(
        folder, smdp_address=host, organization=ORGANIZATION, eid_prefix=EID_PREFIX, at=SystemClock().now()
    )
    print(f"made {len(made.certificates)} certificates and keys in {folder}, for their owner alone")


@pki_app.command("import")
def take_over(
    source: Annotated[Path, typer.Argument(help="A folder laid out as SGP.26, with DPauth and DPpb keys.")],
    pki: Folder = None,
) -> None:
    """Import an operator's certificates and keys after checking them, into an empty folder only."""
    from kswifi.esim.smdp.pki_folder import import_folder

    folder = pki or _own_folder()
    taken = import_folder(source, folder)
    oids = ", ".join(sorted({identity.oid for identity in taken.smdp_identities()}))
    print(f"took over {len(taken.certificates)} certificates into {folder}; the SM-DP+ is {oids}")


def rsp_options(
    settings: "Settings",
    *,
    host: str | None,
    port: int | None,
    pki: Path | None,
    name: str | None,
    profiles: Path | None,
) -> "RspOptions":
    """Return the options of the SM-DP+, the settings' where none is given."""
    from kswifi.bootstrap.parts.provisioning.smdp import RspOptions

    chosen = settings.rsp_port if port is None else port
    operators = settings.es2_port
    if not 0 <= chosen <= 65535:
        raise SERVE_OPTIONS_INVALID(f"a port is 0 to 65535, not {chosen}", port=chosen)
    if operators and operators == chosen:
        raise SERVE_OPTIONS_INVALID(
            "KSWIFI_ES2_PORT is a port of its own; KSWIFI_ES2_ON_RSP_PORT shares that of ES9+", port=chosen
        )
    return RspOptions(
        host=host or settings.rsp_bind,
        port=chosen,
        smdp_address=name or settings.smdp_name,
        pki_dir=pki,
        profiles_dir=profiles,
        es2_port=operators,
        es2_host=settings.es2_bind,
        es2_on_es9=settings.es2_on_rsp_port,
        plmn=settings.plmn,
    )


def _own_folder() -> Path:
    from kswifi.data_directory.layout import installation_of
    from kswifi.settings import load_settings

    return installation_of(load_settings()).pki_dir


def _rows(pki: "Pki", now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "role": each.certificate.role.value,
            "curve": each.certificate.curve.value,
            "subject": each.certificate.parsed.subject.rfc4514_string(),
            "key_id": each.certificate.key_id.hex(),
            "issuer_key_id": each.certificate.issuer_key_id.hex(),
            "serial_number": f"{each.certificate.serial_number:x}",
            "not_before": each.certificate.not_before.isoformat(),
            "not_after": each.certificate.not_after.isoformat(),
            "expired": each.certificate.not_after < now,
            "oid": each.certificate.oid,
            "eid": each.certificate.eid,
            "key": each.private_key is not None,
        }
        for each in pki.certificates
    ]
