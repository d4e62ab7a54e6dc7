"""What the ledger's effects mean for the states of sessions and lines, in the caller's transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from itertools import groupby

import structlog
from sqlalchemy import Connection

from kswifi.database.engine import after_commit
from kswifi.esim.errors import UnknownEsimError
from kswifi.esim.lines.service import find_esim, note_pause_ended, set_frozen, set_hold
from kswifi.esim.model import Hold
from kswifi.kernel.clock import from_unix_seconds, unix_seconds
from kswifi.ledger import effects as fx
from kswifi.outbox.service import publish
from kswifi.sessions.card import slots
from kswifi.sessions.ending import cut_off_if_exhausted, end_session
from kswifi.sessions.errors import UnknownSessionError
from kswifi.sessions.jobs import ask_to_end_hold
from kswifi.sessions.model import InternetSession, SessionEvent, SessionState, allows
from kswifi.sessions.service_wish import project_service
from kswifi.sessions.store import LIMIT_REACHED, LINE_CHANGED, find_session, sessions_on
from kswifi.sessions.transitions import move_session, start_usage

_log = structlog.get_logger(__name__)


def apply_to_state(connection: Connection, effect: fx.Effect) -> None:
    """Move the sessions and lines that an effect concerns; those of nobody here are logged and passed over."""
    match effect:
        case fx.StorageProved(account_id=account):
            _move(connection, account, SessionEvent.STORAGE_PROVED)
        case fx.Committed(account_id=account, first=True, at=at):
            start_usage(connection, {account: from_unix_seconds(at)})
        case fx.Reported(account_id=account, first=True, at=at):
            start_usage(connection, {account: from_unix_seconds(at)})
        case fx.Exhausted(account_id=account):
            _move(connection, account, SessionEvent.USED_UP)
        case fx.Expired(account_id=account):
            _end(connection, account, SessionEvent.EXPIRED, "its validity is over")
        case fx.Revoked(account_id=account, reason=reason):
            _end(connection, account, SessionEvent.REVOKED, reason)
        case _:
            _apply_to_line(connection, effect)


def apply_all_to_state(connection: Connection, effects: Iterable[fx.Effect]) -> None:
    """Apply effects in their order; first octets, the most frequent, together where they follow one another."""
    for are_first_octets, group in groupby(effects, lambda effect: isinstance(effect, fx.Committed)):
        if are_first_octets:
            first = [effect for effect in group if isinstance(effect, fx.Committed)]
            start_usage(connection, {effect.account_id: from_unix_seconds(effect.at) for effect in first})
            continue
        for effect in group:
            apply_to_state(connection, effect)


def cut_off(connection: Connection, session_id: str) -> None:
    """Ask for the hold of an exhausted session's line, where the ledger has not set it with the last octet."""
    session = _session(connection, session_id)
    if session is not None:
        cut_off_if_exhausted(connection, session)


def _apply_to_line(connection: Connection, effect: fx.Effect) -> None:
    match effect:
        case fx.WalletHeld(wallet_id=wallet, reason=reason):
            _hold(connection, wallet, _shown_hold(connection, wallet, Hold(reason)), SessionEvent.HELD)
        case fx.HeldUntil(wallet_id=wallet, reason=reason, ends_at=ends_at):
            _hold(connection, wallet, _shown_hold(connection, wallet, Hold(reason)), SessionEvent.HELD)
            _note_end(connection, wallet, Hold(reason), from_unix_seconds(ends_at))
        case fx.HoldEnded(wallet_id=wallet, reason=reason, ends_at=ends_at, left=left):
            if Hold(reason) is Hold.PAUSED:
                note_pause_ended(connection, wallet, from_unix_seconds(ends_at))
            held = most_telling(Hold(it) for it in left)
            _hold(connection, wallet, held, SessionEvent.LIFTED if held is None else SessionEvent.HELD)
        case fx.HoldLifted(wallet_id=wallet, account_id=chosen):
            _hold(connection, wallet, None, SessionEvent.LIFTED)
            if chosen is not None:
                _put_first(connection, wallet, chosen)
        case fx.Frozen(wallet_id=wallet, frozen=frozen):
            _freeze(connection, wallet, frozen)
        case fx.Ordered(wallet_id=wallet, account_ids=accounts):
            _arrange(connection, wallet, session_order=list(accounts))
        case fx.ContinueWithNextSet(wallet_id=wallet, enabled=enabled):
            _arrange(connection, wallet, continues=enabled)
        case _:
            pass


def _session(connection: Connection, session_id: str) -> InternetSession | None:
    try:
        return find_session(connection, session_id)
    except UnknownSessionError:
        after_commit(connection, _logged("ledger_account_without_session", account_id=session_id))
        return None


def _move(connection: Connection, session_id: str, event: SessionEvent) -> None:
    session = _session(connection, session_id)
    if session is not None and allows(session.state, event):
        move_session(connection, session, event)


def _end(connection: Connection, session_id: str, event: SessionEvent, reason: str) -> None:
    """End a session; octets that come back to one that has ended change its balance alone."""
    session = _session(connection, session_id)
    if session is not None and allows(session.state, event):
        end_session(connection, session, event, reason)


def _hold(connection: Connection, wallet_id: str, hold: Hold | None, event: SessionEvent) -> None:
    """Set or lift a line's hold, and pause or continue its sessions."""
    try:
        esim = find_esim(connection, wallet_id)
    except UnknownEsimError:
        after_commit(connection, _logged("ledger_wallet_without_esim", wallet_id=wallet_id))
        return
    set_hold(connection, wallet_id, hold)
    project_service(connection, wallet_id)
    if esim.hold is not hold:
        publish(
            connection,
            user_id=esim.user_id,
            kind=LINE_CHANGED,
            payload={"esim_id": wallet_id, "hold": hold and str(hold)},
        )
    for session in sessions_on(connection, wallet_id):
        if session.state in (SessionState.ACTIVE, SessionState.PAUSED) and allows(session.state, event):
            move_session(connection, session, event)


def _freeze(connection: Connection, wallet_id: str, frozen: bool) -> None:
    """Store that a line is frozen or thawed, switch a provider's line with it, and publish it to its owner."""
    try:
        esim = find_esim(connection, wallet_id)
    except UnknownEsimError:
        after_commit(connection, _logged("ledger_wallet_without_esim", wallet_id=wallet_id))
        return
    set_frozen(connection, wallet_id, frozen)
    project_service(connection, wallet_id)
    publish(
        connection,
        user_id=esim.user_id,
        kind=LINE_CHANGED,
        payload={"esim_id": wallet_id, "hold": esim.hold and str(esim.hold), "frozen": frozen},
    )


def _shown_hold(connection: Connection, wallet_id: str, hold: Hold) -> Hold:
    """Return the reason to show for a line that is on hold for one more reason."""
    try:
        esim = find_esim(connection, wallet_id)
    except UnknownEsimError:
        return hold  # ``_hold`` logs it
    return most_telling(it for it in (esim.hold, hold) if it is not None) or hold


def most_telling(holds: Iterable[Hold]) -> Hold | None:
    """Return the reason to show of some: an exhaustion before a limit, a limit before a pause; None of none."""
    return max(holds, key=list(Hold).index, default=None)


def _note_end(connection: Connection, wallet_id: str, reason: Hold, ends_at: datetime) -> None:
    """Ask for the end of a hold at its end; publish to the line's owner that a limit has stopped the line."""
    try:
        esim = find_esim(connection, wallet_id)
    except UnknownEsimError:
        return  # ``_hold`` logged it
    ask_to_end_hold(connection, wallet_id, str(reason), ends_at)
    if reason is Hold.LIMITED:
        payload = {"esim_id": wallet_id, "hold": esim.hold and str(esim.hold), "back_at": unix_seconds(ends_at)}
        publish(connection, user_id=esim.user_id, kind=LIMIT_REACHED, payload=payload)


def _put_first(connection: Connection, wallet_id: str, session_id: str) -> None:
    line = slots.line_of(connection, wallet_id)
    order = [session_id, *(it for it in line.session_order if it != session_id)]
    # Who activates a session wants it first; an order that is wished for and not confirmed yet stays wished for.
    wanted = order if line.wanted_order == line.session_order else list(line.wanted_order)
    _arrange(connection, wallet_id, session_order=order, wanted_order=wanted)


def _arrange(connection: Connection, wallet_id: str, **columns: object) -> None:
    """Note a line's order of use or its switch, as the ledger has confirmed it."""
    try:
        esim = find_esim(connection, wallet_id)
    except UnknownEsimError:
        return  # logged already, where its sessions are
    slots.change_line(connection, wallet_id, **columns)
    slots.project_wanted_records(connection, wallet_id)
    publish(
        connection,
        user_id=esim.user_id,
        kind=LINE_CHANGED,
        payload={"esim_id": wallet_id, "hold": esim.hold and str(esim.hold)},
    )


def _logged(event: str, **facts: str) -> Callable[[], None]:
    return partial(_log.error, event, **facts)
