"""The Access Rule Application Master (ARA-M): rules for apps that may use the card (GlobalPlatform SEAC, 4.2)."""

from kswifi.euicc.apdu import Command, Status, StatusError
from kswifi.euicc.channel import CardSession, Channel
from kswifi.rsp import tlv
from kswifi.rsp.access_rules import ALL_RULES


def get_data(session: CardSession, channel: Channel, command: Command) -> bytes:
    """Answer GET DATA [all]: all rules in one data object."""
    profile = session.state.enabled_profile()
    if not channel.ara_m or profile is None:
        raise StatusError(Status.CONDITIONS_NOT_SATISFIED)
    if command.p1 << 8 | command.p2 != ALL_RULES:
        raise StatusError(Status.REFERENCED_DATA_NOT_FOUND)
    return tlv.encode(ALL_RULES, *profile.access_rules)
