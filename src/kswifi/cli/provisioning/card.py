"""`kswifi card ...`: explain messages to and from a card."""

from typing import Annotated

import typer

card_app = typer.Typer(help="What goes over the wires of a card.", no_args_is_help=True)
packet_app = typer.Typer(help="Secured packets (SCP80).", no_args_is_help=True)
card_app.add_typer(packet_app, name="packet")

Key = Annotated[str | None, typer.Option(help="In hexadecimal. It is not kept anywhere.")]


@packet_app.command("show")
def show_packet(
    octets: Annotated[
        str, typer.Argument(metavar="HEX", help="ENVELOPEs in a row, an SMS, a packet, or a card's answer.")
    ],
    kic: Key = None,
    kid: Key = None,
    command: Annotated[
        str | None, typer.Option(help="Of an answer: the packet it answers, or its ENVELOPEs, in HEX.")
    ] = None,
) -> None:
    """Explain a secured packet; with its keys, verify it and show its content."""
    from kswifi.scp80.errors import MalformedPacketError
    from kswifi.scp80.explain import explain
    from kswifi.scp80.packets import Keys

    if (kic is None) != (kid is None):
        raise SystemExit("kswifi: give both keys, --kic and --kid, or none")
    try:
        given = [None if text is None else bytes.fromhex(text) for text in (octets, kic, kid, command)]
    except ValueError:
        raise MalformedPacketError("packets and keys are given in hexadecimal") from None
    packet, ciphering, checking, answered = given
    keys = None if ciphering is None or checking is None else Keys(ciphering, checking)
    for line in explain(packet or b"", keys, answered):
        print(line)
