"""The commands of remote SIM provisioning: a software card for other LPAs, and our own LPA."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.kernel.pasted import clean_digits, clean_pasted

if TYPE_CHECKING:
    from kswifi.lab.phone.es9 import HttpEs9
    from kswifi.lab.phone.es10 import ApduReader
    from kswifi.lab.phone.lpa import Lpa
    from kswifi.rsp.messages.metadata import ProfileMetadata
    from kswifi.rsp.messages.profiles import ProfileId

euicc_app = typer.Typer(help="The software eUICC.", no_args_is_help=True)
lpa_app = typer.Typer(help="Put profiles onto a card and manage them there.", no_args_is_help=True)

CardDir = Annotated[Path | None, typer.Option("--card", help="The directory of a software card.")]
PkiDir = Annotated[Path | None, typer.Option("--pki", help="Certificates to make the card by, if it is not there.")]
ReaderNumber = Annotated[int | None, typer.Option("--reader", min=0, help="A real card: the number of its reader.")]
CaFile = Annotated[Path | None, typer.Option("--ca", help="Authorities that sign the servers' TLS certificates.")]
ConnectTo = Annotated[str | None, typer.Option(help="host:port at which every server is found, for trying one.")]
_RULES = {1: "can not be disabled once it is enabled", 2: "can not be deleted"}  # PolicyRule
IccidArgument = Annotated[
    str, typer.Argument(help="Which profile: its ICCID.", parser=clean_digits, metavar="ICCID")
]


@euicc_app.command()
def stdio(
    card: Annotated[Path, typer.Option(help="The directory of the card; made with --pki if it is not there.")],
    pki: PkiDir = None,
) -> None:
    """Act as a card on standard input and output, by the APDU protocol of lpac."""
    from kswifi.euicc.stdio import serve_stdio
    from kswifi.lab.phone.personalise import open_or_make_card

    euicc = open_or_make_card(card, pki)
    try:
        serve_stdio(euicc, sys.stdin, sys.stdout, lambda line: print(line, file=sys.stderr, flush=True))
    finally:
        euicc.close()


@euicc_app.command()
def vpcd(
    card: Annotated[Path, typer.Option(help="The directory of the card; made with --pki if it is not there.")],
    pki: PkiDir = None,
    host: Annotated[str, typer.Option(help="Where the virtual reader listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 35963,
) -> None:
    """Act as a card in a virtual PC/SC reader (vsmartcard's vpcd), until the reader closes the connection."""
    from kswifi.lab.phone.personalise import open_or_make_card
    from kswifi.lab.vpicc import serve_reader

    euicc = open_or_make_card(card, pki)
    try:
        serve_reader(euicc, host, port)
    finally:
        euicc.close()


@lpa_app.command()
def download(
    activation_code: Annotated[str, typer.Argument(help="LPA:1$address$matching id")],
    card: CardDir = None,
    pki: PkiDir = None,
    reader: ReaderNumber = None,
    ca: CaFile = None,
    connect_to: ConnectTo = None,
    confirmation_code: Annotated[str | None, typer.Option(help="Where the profile asks for one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before installing.")] = False,
) -> None:
    """Download a profile and install it, disabled; then deliver the card's notifications."""
    from kswifi.lab.phone.activation_code import ActivationCode
    from kswifi.lab.phone.lpa import DownloadRefusedError, Lpa

    code = ActivationCode.parse(activation_code)
    if code.confirmation_code_required and confirmation_code is None:
        confirmation_code = typer.prompt("Confirmation code", hide_input=True)
    if confirmation_code is not None:
        confirmation_code = clean_pasted(confirmation_code)
    with _reader(card, pki, reader) as taken, _servers(ca, connect_to) as es9:
        lpa = Lpa(taken, es9, _say)
        try:
            got = lpa.download(code, confirmation_code, _agree(yes))
        except DownloadRefusedError:
            _deliver(lpa)  # the card reports its refusal in a notification, which the order at the server needs
            raise
        print(f"{got.iccid} is installed, disabled: `kswifi lpa enable {got.iccid}` switches it on.")
        _deliver(lpa)


@lpa_app.command("list")
def list_profiles(card: CardDir = None, reader: ReaderNumber = None) -> None:
    """List the profiles on the card."""
    from kswifi.kernel.numbers import unswap_nibbles
    from kswifi.lab.phone.es10 import Es10

    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        profiles = es10.profiles()
    for profile in profiles:
        number = unswap_nibbles(profile.iccid or b"").rstrip("F")
        names = " ".join(filter(None, (profile.service_provider_name, profile.profile_name)))
        nickname = f" «{profile.nickname}»" if profile.nickname else ""
        print(f"{number}  {'enabled ' if profile.state else 'disabled'}  {names}{nickname}")
    if not profiles:
        print("The card has no profiles.")


@lpa_app.command()
def enable(iccid: IccidArgument, card: CardDir = None, reader: ReaderNumber = None) -> None:
    """Enable a profile; the one enabled before is disabled."""
    from kswifi.lab.phone.es10 import Es10

    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        es10.enable(_profile(iccid))
    print(f"{iccid} is enabled.")


@lpa_app.command()
def disable(iccid: IccidArgument, card: CardDir = None, reader: ReaderNumber = None) -> None:
    """Disable a profile."""
    from kswifi.lab.phone.es10 import Es10

    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        es10.disable(_profile(iccid))
    print(f"{iccid} is disabled.")


@lpa_app.command()
def delete(
    iccid: IccidArgument,
    card: CardDir = None,
    reader: ReaderNumber = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete a disabled profile permanently."""
    from kswifi.lab.phone.es10 import Es10

    if not yes:
        typer.confirm(f"Delete {iccid} and everything it brought?", abort=True)
    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        es10.delete(_profile(iccid))
    print(f"{iccid} is deleted.")


@lpa_app.command()
def nickname(
    iccid: IccidArgument,
    name: Annotated[str, typer.Argument(help="Empty takes it away.")],
    card: CardDir = None,
    reader: ReaderNumber = None,
) -> None:
    """Give a profile a nickname."""
    from kswifi.kernel.numbers import Iccid
    from kswifi.lab.phone.es10 import Es10

    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        es10.set_nickname(Iccid.as_read(iccid).to_bytes(), name)


@lpa_app.command()
def notifications(
    card: CardDir = None,
    reader: ReaderNumber = None,
    ca: CaFile = None,
    connect_to: ConnectTo = None,
    process: Annotated[bool, typer.Option("--process", help="Deliver them and have the card forget them.")] = False,
) -> None:
    """List the card's pending notifications to servers, or deliver them."""
    from kswifi.kernel.numbers import unswap_nibbles
    from kswifi.lab.phone.es10 import Es10
    from kswifi.lab.phone.lpa import Lpa

    with _reader(card, None, reader) as taken, _servers(ca, connect_to) as es9:
        if process:
            _deliver(Lpa(taken, es9, _say))
            return
        with Es10(taken) as es10:
            for each in es10.notifications():
                iccid = unswap_nibbles(each.iccid or b"").rstrip("F")
                print(f"{each.sequence_number}  {each.event.name.lower():8}{each.address}  {iccid}")


@lpa_app.command()
def info(card: CardDir = None, reader: ReaderNumber = None) -> None:
    """Show the card's identity and capabilities."""
    from kswifi.lab.phone.es10 import Es10

    with _reader(card, None, reader) as taken, Es10(taken) as es10:
        described, (default, root) = es10.info2(), es10.addresses()
        print(f"EID               {es10.eid()}")
    print(f"SGP.22            v{'.'.join(map(str, described.svn))}")
    resource = described.ext_card_resource
    print(f"free              {'unknown' if resource is None else f'{resource.free_non_volatile_octets} octets'}")
    print(f"default SM-DP+    {default or 'none'}")
    print(f"root SM-DS        {root}")
    for key in described.ci_keys_for_verification:
        print(f"trusts            {key.hex()}")


@lpa_app.command()
def sessions(
    card: CardDir = None,
    reader: ReaderNumber = None,
    keys: Annotated[
        Path | None, typer.Option(help="The server's /.well-known/jwks.json: signatures are then verified.")
    ] = None,
) -> None:
    """List the internet sessions that are stored in the enabled profile; needs no network."""
    from kswifi.kernel.clock import from_unix_seconds
    from kswifi.kernel.quantities import format_octets
    from kswifi.lab.phone.sim import SimCard
    from kswifi.rsp.session_record import SessionRecord, state_of

    verified = _verifier(keys)
    with _reader(card, None, reader) as taken:
        for octets in SimCard(taken).read_session_records():
            record, state = SessionRecord.parse(octets), state_of(octets)
            allowed = "unlimited" if record.allowance_octets is None else format_octets(record.allowance_octets)
            words = [
                f"{record.session_id}  {allowed}",
                f"until {from_unix_seconds(record.valid_until):%Y-%m-%d %H:%M} UTC",
                verified(octets),
            ]
            if state is not None:
                place = f"{state.place}. in order, " if state.place else ""
                as_of = f"{from_unix_seconds(state.as_of):%Y-%m-%d %H:%M}"
                words.append(f"{place}{state.status.name.lower()} at {as_of}")
            print("  ".join(word for word in words if word))


def _verifier(keys: Path | None) -> "Callable[[bytes], str]":
    """Return a function that tells for a record whether one of these keys has signed it."""
    if keys is None:
        return lambda _octets: ""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from joserfc.jwk import ECKey, KeySet

    from kswifi.rsp.session_record import SessionRecordError, verify

    known = [
        key.public_key
        for key in KeySet.import_key_set(json.loads(keys.read_text("utf-8"))).keys
        if isinstance(key, ECKey) and isinstance(key.public_key, EllipticCurvePublicKey)
    ]

    def verified(octets: bytes) -> str:
        refusals = []
        for key in known:
            try:
                verify(octets, key)
            except SessionRecordError as error:
                refusals.append(error.message)
            else:
                return "signature right"
        return f"NOT SIGNED by these keys ({refusals[0] if refusals else 'there are none'})"

    return verified


@contextmanager
def _reader(card: Path | None, pki: Path | None, reader: int | None) -> "Iterator[ApduReader]":
    """Open the card: a software card in a directory, or a card in a reader."""
    if (card is None) == (reader is None):
        raise typer.BadParameter("name one card: --card DIR or --reader N")
    with ExitStack() as stack:
        if reader is not None:
            from kswifi.lab.phone.pcsc import PcscReader

            yield stack.enter_context(PcscReader(reader))
        elif card is not None:
            from kswifi.lab.phone.personalise import open_or_make_card

            euicc = open_or_make_card(card, pki)
            stack.callback(euicc.close)
            yield euicc


def _servers(ca: Path | None, connect_to: str | None) -> "HttpEs9":
    from kswifi.lab.phone.es9 import HttpEs9, tls_context

    return HttpEs9(tls_context(ca), connect_to)


def _say(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


def _agree(yes: bool) -> "Callable[[ProfileMetadata], bool]":
    def ask(metadata: "ProfileMetadata") -> bool:
        name = f"{metadata.service_provider_name} {metadata.profile_name}".strip()
        rules = [words for rule, words in _RULES.items() if rule in (metadata.policy_rules or ())]
        for words in rules:
            _say(f"this profile {words}")
        # SGP.22, 3.1.3: the user must agree to such rules in person, so --yes does not cover them.
        return (yes and not rules) or typer.confirm(f"Install {name}?", default=not rules, err=True)

    return ask


def _deliver(lpa: "Lpa") -> None:
    for done in lpa.process_notifications():
        if done.failure is not None:
            _say(f"notification {done.metadata.sequence_number} waits on the card: {done.failure}")


def _profile(iccid: str) -> "ProfileId":
    from kswifi.kernel.numbers import Iccid
    from kswifi.rsp.messages.profiles import ProfileId

    return ProfileId.of_iccid(Iccid.as_read(iccid).to_bytes())
