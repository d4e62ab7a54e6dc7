"""The demo of a lost phone: an active session moves in mid-use to a second card, and the old line is refused."""

from typing import Any

from rich.table import Table

from kswifi.lab.demo.gift import Identity
from kswifi.lab.demo.road import Road, RoadError
from kswifi.lab.phone.modem import AttachError

_SHARE_BEFORE = 3
"""A third of the session is used on the old phone."""


class MoveToNewPhone:
    """Two phones of one account; the session of the first one moves to the second one."""

    def __init__(self, old: Road, new: Road, offer_id: str) -> None:
        self.old = old
        self.new = new
        self._offer_id = offer_id
        self.before = 0
        self.after = 0
        self.allowance = 0
        self.old_line_refused = False
        self.old_state = ""

    def walk(self, owner: Identity) -> None:
        """Go through all stages.

        Raises:
            KswifiError: a stage failed.
        """
        old = self.old
        recovery_code = old.register(owner.identifier, owner.password)
        old.choose(self._offer_id)
        if old.uncapped:
            raise RoadError("the demo compares octets: choose an offer with a limit of octets")
        old.order()
        old.download(break_off=False)
        old.store()
        self.allowance = int(old.walked.offer["allowance_octets"])
        old.switch_line_on()
        old.browse_without_limit(self.allowance // _SHARE_BEFORE)
        traffic = old.walked.traffic
        self.before = 0 if traffic is None else traffic.delivered_octets
        self._lose(owner, recovery_code)
        self._check_old_line()
        self._use_new_phone()

    def _lose(self, owner: Identity, recovery_code: str) -> None:
        """Sign in on the new phone, freeze the old line, confirm by the recovery code, wait for the move."""
        old, new = self.old, self.new
        with new.stage("lose"):
            new.app.register(owner.identifier, owner.password)
            move = new.app.ask_to_move(old.walked.esim_id, "lost")
            new.app.confirm_move(move["move_id"], recovery_code)
            moving = new.app.wait_for_move(move["move_id"], ("moving",))
            moved_to = new.app.internet_session(old.walked.session_id)["moved_to"]
            new.walked.session_id = str(moved_to)
            new.walked.esim_id = str(moving["new_esim_id"])
            new.walked.offer = {**old.walked.offer, "allowance_octets": self.allowance - self.before}

    def _check_old_line(self) -> None:
        """Attach with the old phone again: the network gives it no access to the internet."""
        old = self.old
        with old.stage("old_line"):
            old.modem.detach()
            try:
                access = old.modem.attach(old.card, old.card.imsi()).access
            except AttachError:
                access = "ended"
            self.old_line_refused = access in ("control_only", "ended")
            old.modem.detach()
            old.network.line = False

    def _use_new_phone(self) -> None:
        new = self.new
        new.order()
        new.download(break_off=False)
        new.store()
        with new.stage("moved"):
            self.old_state = new.app.wait_until(self.old.walked.session_id, ("revoked",))["state"]
        new.leave_wifi()
        new.switch_line_on()
        new.browse_until_cut_off(self.allowance - self.before)
        self.after = 0 if new.walked.traffic is None else new.walked.traffic.delivered_octets
        new.return_to_wifi()


def facts_of_move(move: MoveToNewPhone) -> dict[str, Any]:
    """Return the result: the octets of both phones, and what the network did with the old line."""
    new, old = move.new.walked, move.new.app.usage(move.old.walked.session_id)["balance"]
    return {
        "allowance_octets": move.allowance,
        "delivered_before": move.before,
        "delivered_after": move.after,
        "overrun_octets": new.usage["balance"]["overrun"] + old["overrun"],
        "used_octets": new.usage["balance"]["used"] + old["used"],
        "old_line_refused": move.old_line_refused,
        "old_session": move.old_state,
        "new_session": {"source": new.final["source"], "state": new.final["state"]},
    }


def failings_of_move(facts: dict[str, Any]) -> list[str]:
    """Return the failed checks in words; an empty list if the run succeeded."""
    delivered = facts["delivered_before"] + facts["delivered_after"]
    checks = {
        "the octets of both phones are not the allowance": delivered == facts["allowance_octets"],
        "the ledger did not charge what was delivered": facts["used_octets"] == delivered,
        "there is overrun": facts["overrun_octets"] == 0,
        "the network still serves the old line": facts["old_line_refused"],
        "the old session is not revoked": facts["old_session"] == "revoked",
        "the new session is not the moved one, used up": facts["new_session"]
        == {"source": "move", "state": "exhausted"},
    }
    return [words for words, holds in checks.items() if not holds]


def table_of_move(facts: dict[str, Any]) -> Table:
    """Return the table of results of a move."""
    table = Table(title="A session moved to a new phone in mid-use", title_style="bold cyan")
    table.add_column("phone")
    table.add_column("octets", justify="right")
    table.add_column("", style="dim")
    table.add_row("old", f"{facts['delivered_before']:,}", "then lost: the line is frozen and refused")
    table.add_row("new", f"{facts['delivered_after']:,}", "until the network cut it off")
    table.add_section()
    table.add_row("allowance", f"{facts['allowance_octets']:,}", f"overrun {facts['overrun_octets']:,}")
    return table
