"""Why a line has no data: what each record of it says, with the next step for support."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from kswifi.esim.model import ESim, Hold, ProfileState
from kswifi.sessions.model import LIVE_STATES, InternetSession, SessionState
from kswifi.sessions.store import get_balance


class Level(StrEnum):
    """How a finding is shown."""

    GOOD = "good"
    WAITS = "waits"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is true of a line, and what to do about it."""

    level: Level
    what: str
    do: str = ""


def diagnose(
    connection: Connection, line: ESim, sessions: list[InternetSession], was_connected: bool
) -> list[Finding]:
    """Return the findings in the order of the road: profile, session, line, network."""
    return [
        _profile(line),
        _session(connection, sessions),
        *_switch(line),
        _network(line, sessions, was_connected),
    ]


def _profile(line: ESim) -> Finding:
    match line.profile_state:
        case ProfileState.INSTALLED:
            return Finding(Level.GOOD, "The profile is installed on the card")
        case ProfileState.ERROR:
            return Finding(
                Level.BAD, "The card could not install the profile", "Have the customer try the transfer again"
            )
        case ProfileState.RELEASED | ProfileState.DOWNLOADED:
            return Finding(
                Level.WAITS,
                "The profile waits to be installed",
                "The customer opens the QR code in the app and installs the eSIM over WiFi",
            )
        case _:
            return Finding(Level.WAITS, f"The profile is {line.profile_state}", "The customer has not got that far")


def _session(connection: Connection, sessions: list[InternetSession]) -> Finding:
    live = [it for it in sessions if it.state in LIVE_STATES]
    if not live:
        ended = f"the newest one is {sessions[0].state}" if sessions else "there never was one"
        return Finding(Level.BAD, f"No session is left: {ended}", "The customer orders a new session")
    usable = [it for it in live if it.state in (SessionState.STORED, SessionState.ACTIVE, SessionState.PAUSED)]
    if not usable:
        state, reason = live[0].state, live[0].state_reason
        why = f" ({reason})" if reason else ""
        return Finding(Level.WAITS, f"The session is {state}{why}", "The customer finishes the download in the app")
    balance, _ = get_balance(connection, usable[0].session_id)
    left = balance.available + balance.reserved
    if usable[0].allowance_octets is not None and left == 0:
        return Finding(Level.BAD, "The session's octets are used up", "The customer orders a new session")
    return Finding(Level.GOOD, f"A session can be used: {usable[0].offer_id}")


def _switch(line: ESim) -> list[Finding]:
    found = []
    if line.frozen or line.wants_frozen:
        found.append(Finding(Level.BAD, "The line is frozen by support", "Check the caller, then thaw the line"))
    if line.hold is Hold.PAUSED:
        found.append(
            Finding(Level.BAD, "The owner has paused the line", "The customer switches the line on in the app")
        )
    elif line.hold is Hold.LIMITED:
        words = "The owner lifts the limit in the app, or waits for the next day"
        found.append(Finding(Level.BAD, "The line has reached the limit of the day that its owner has set", words))
    elif line.hold is Hold.EXHAUSTED:
        found.append(Finding(Level.BAD, "The line is on hold because the last session was used up"))
    if not found:
        found.append(Finding(Level.GOOD, "The line is switched on"))
    return found


def _network(line: ESim, sessions: list[InternetSession], was_connected: bool) -> Finding:
    if was_connected:
        return Finding(Level.GOOD, "The phone has connected to the network before")
    if line.profile_state is ProfileState.INSTALLED and sessions:
        return Finding(
            Level.WAITS,
            "The phone has never connected",
            "The customer switches on this eSIM, mobile data and data roaming, and checks the access point (APN)",
        )
    return Finding(Level.WAITS, "The phone has not connected yet")
