"""Build the contents of session packages and session records from the session and its eSIM."""

from importlib.resources import files
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from kswifi.catalogue.model import Offer
from kswifi.esim.lines.activation import activation_data
from kswifi.esim.model import ESim, LineKind, LineSettings
from kswifi.kernel.clock import unix_seconds
from kswifi.kernel.quantities import format_octets
from kswifi.rsp.session_record import KEY_ID_OCTETS, SessionRecord
from kswifi.session_package.codec import PackageContents, build_package
from kswifi.sessions.model import InternetSession
from kswifi.sessions.signing import SessionSigningKey

_LINES: Final = {LineKind.PROFILE: "issued by a data provider", LineKind.OWN_LINE: "the line that you have"}
_TERMS: Final = files("kswifi.sessions").joinpath("terms.txt").read_text("utf-8")


def sign_line_package(
    session: InternetSession, esim: ESim, offer: Offer, key: SessionSigningKey, zone: ZoneInfo
) -> bytes:
    """Return the signed package of a session on a data provider's line (version 2).

    It has no ICCID and no activation code: the provider's bundle is bought only when the session is transferred.
    """
    contents = PackageContents(
        session_id=session.session_id,
        offer_id=session.offer_id,
        allowance_octets=session.allowance_octets,
        valid_from=session.ordered_at,
        valid_until=session.valid_until,
        line={"esim_id": esim.esim_id, "kind": str(esim.kind)},
        terms=terms(session, esim, offer, zone),
    )
    return build_package(contents, key.jwk)


def sign_session_record(session: InternetSession, esim: ESim, key: SessionSigningKey) -> bytes:
    """Return the signed session record for the card."""
    return key.sign_record(
        SessionRecord(
            session_id=UUID(session.session_id),
            iccid=esim.numbers.iccid,
            allowance_octets=session.allowance_octets,
            valid_from=unix_seconds(session.ordered_at),
            valid_until=unix_seconds(session.valid_until),
            key_id=bytes(KEY_ID_OCTETS),
        )
    )


def sign_package(
    session: InternetSession,
    esim: ESim,
    offer: Offer,
    line: LineSettings,
    record: bytes,
    key: SessionSigningKey,
    zone: ZoneInfo,
) -> bytes:
    """Return the signed session package; its terms show instants in ``zone``."""
    contents = PackageContents(
        session_id=session.session_id,
        offer_id=session.offer_id,
        allowance_octets=session.allowance_octets,
        valid_from=session.ordered_at,
        valid_until=session.valid_until,
        iccid=esim.numbers.iccid,
        session_record=record,
        activation=activation_data(esim, line),
        terms=terms(session, esim, offer, zone),
    )
    return build_package(contents, key.jwk)


def terms(session: InternetSession, esim: ESim, offer: Offer, zone: ZoneInfo) -> str:
    """Return the terms of this session as text; instants are in the local time of ``zone``."""
    allowance = session.allowance_octets
    return _TERMS.format(
        title=offer.title,
        allowance="without limit" if allowance is None else f"{format_octets(allowance)} ({allowance:,} octets)",
        ordered=session.ordered_at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z"),
        until=session.valid_until.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z"),
        iccid=esim.iccid or _LINES[esim.kind],
    )
