"""A second, slower ledger, written from the rules and not from the code: what the real one is compared with.

It keeps one dictionary of numbers an account and remembers answers for ever. It knows no journal and no effects.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from kswifi.ledger import commands as do
from kswifi.ledger.limits import jitter_seconds

Answer: TypeAlias = tuple[str, int, int, int]
"""The code, and the octets granted, committed and overrun."""


@dataclass
class RefAccount:
    wallet: str
    total: int | None
    expires_at: int
    serial: int
    proven: bool = False
    ended: str = ""
    ended_at: int = 0
    used: int = 0
    held: dict[str, int] = field(default_factory=dict)
    moved_in: int = 0
    moved_out: int = 0
    overrun: int = 0
    rank: int | None = None
    kept_back: int = 0
    counted: int = 0

    @property
    def left(self) -> int:
        """What can still be granted of a capped account."""
        assert self.total is not None
        return self.total - self.kept_back + self.moved_in - self.moved_out - self.used - sum(self.held.values())

    @property
    def credited(self) -> int:
        """What was given so far; of an uncapped account what it used and holds."""
        return self.used + sum(self.held.values()) if self.total is None else self.total - self.kept_back

    def usable(self, at: int) -> bool:
        if self.ended or not self.proven or at >= self.expires_at:
            return False
        return self.total is None or self.left > 0


DAY = 86_400


@dataclass
class RefLimit:
    most: int
    day: int
    spent: int = 0
    off: bool = False

    def turn(self, at: int) -> None:
        """Begin the day that is now, if it is another one."""
        while at >= self.day + DAY:
            self.day, self.spent, self.off = self.day + DAY, 0, False

    @property
    def reached(self) -> bool:
        return not self.off and self.spent >= self.most


@dataclass
class RefWallet:
    holds: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)
    limit: RefLimit | None = None
    exhausted_since: int = 0
    frozen: bool = False
    goes_on: bool = False
    active: str | None = None
    unbooked: int = 0


class Reference:
    def __init__(self, ended_seconds: int) -> None:
        self.ended_seconds = ended_seconds
        self.wallets: dict[str, RefWallet] = {}
        self.accounts: dict[str, RefAccount] = {}
        self.reservations: dict[str, list[str]] = {}  # reservation -> [wallet, account, "open" | "closed"]
        self.answers: dict[tuple[str, str], tuple[do.Command, Answer]] = {}

    def apply(self, command: do.Command, at: int) -> Answer:
        """Return (code, granted, committed, overrun)."""
        for it in self.wallets.values():
            if it.limit is not None:
                it.limit.turn(at)
        scope = (
            command.reservation_id if isinstance(command, do.Reserve | do.Admit | do.Commit | do.Release) else ""
        )
        known = self.answers.get((scope, command.command_id))
        if known is not None and (not scope or scope in self.reservations):
            return known[1] if _same(known[0], command) else ("conflict", 0, 0, 0)
        before = self.picture()
        answer: Answer = getattr(self, f"do_{type(command).__name__}")(command, at)
        if self.is_remembered(command, answer[0], changed=before != self.picture()):
            self.answers[scope, command.command_id] = (command, answer)
        return answer

    def picture(self) -> str:
        return repr((self.wallets, self.accounts, self.reservations))

    def is_remembered(self, command: do.Command, code: str, *, changed: bool) -> bool:
        """What was done is, and all a reservation was answered while it could be; a refusal is judged anew."""
        if isinstance(command, do.Commit):
            return command.reservation_id in self.reservations
        if isinstance(command, do.Reserve | do.Admit):
            known = self.reservations.get(command.reservation_id)
            return known is not None and known[0] == command.wallet_id and (known[2] == "open" or changed)
        if isinstance(command, do.OpenWallet | do.Credit | do.Release | do.ReportUsage):
            return changed
        if isinstance(command, do.Receive):
            return True
        if isinstance(command, do.Send):
            return code != "unknown_account"
        return code == "done" or (isinstance(command, do.Refund) and code == "insufficient")

    def order(self, wallet: str) -> list[str]:
        mine = [(k, a) for k, a in self.accounts.items() if a.wallet == wallet and not a.ended]
        mine.sort(key=lambda it: (it[1].rank is None, it[1].rank or 0, it[1].expires_at, it[1].serial))
        return [k for k, _ in mine]

    def pick(self, wallet: str, at: int) -> str | None:
        it = self.wallets[wallet]
        if it.active is not None:
            active = self.accounts[it.active]
            if active.usable(at):
                return it.active
            if (any(active.held.values()) or active.kept_back) and at < active.expires_at and not it.goes_on:
                return None
        return next((k for k in self.order(wallet) if self.accounts[k].usable(at)), None)

    def grant(self, reservation: str, wallet: str, ask: do.Ask, rest: int, at: int) -> tuple[str, int]:
        it = self.wallets[wallet]
        if it.frozen:
            return "frozen", 0
        if it.holds:
            return "on_hold", 0
        name = self.pick(wallet, at)
        if name is None:
            mine = [self.accounts[k] for k in self.order(wallet)]
            if any((any(a.held.values()) or (a.kept_back and not a.left)) and at < a.expires_at for a in mine):
                return "nothing_usable", 0
            if any(not a.proven and at < a.expires_at for a in mine):
                return "not_proven", 0
            return ("expired" if mine else "nothing_usable"), 0
        account = self.accounts[name]
        octets = ask.amount_octets if ask.may_shrink else max(ask.amount_octets, rest)
        bounds = [] if account.total is None else [account.left]
        if it.limit is not None and not it.limit.off:
            mine_held = (sum(a.held.values()) for a in self.accounts.values() if a.wallet == wallet)
            room = it.limit.most - it.limit.spent - sum(mine_held)
            if room <= 0:
                return "nothing_usable", 0
            bounds.append(room)
        if bounds:
            octets = min(bounds) if min(bounds) <= ask.whole_up_to_octets else min(*bounds, octets)
        account.held[reservation] = account.held.get(reservation, 0) + octets
        self.reservations[reservation] = [wallet, name, "open"]
        return "done", octets

    def book(self, reservation: str, used: int, at: int) -> tuple[int, int, int, bool]:
        """Return (committed, overrun, rest, whether the account ran out)."""
        wallet, name, _ = self.reservations[reservation]
        name = name or self.late(wallet, at)
        if not name:
            self.wallets[wallet].unbooked += used
            return 0, used, 0, False
        account = self.accounts[name]
        held = account.held.pop(reservation, 0)
        if not held and not used:
            return 0, 0, 0, False
        limit = held if account.ended else used if account.total is None else account.left
        committed = min(used, limit)
        account.used += committed
        account.overrun += used - committed
        it = self.wallets[wallet]
        if it.limit is not None:
            it.limit.spent += committed
            if committed:
                self.judge(wallet, at)
        if account.ended:
            return committed, used - committed, 0, False
        if committed and it.active is None:
            it.active = name
        nothing_held = not any(account.held.values())
        ran_out = account.total is not None and account.left + account.kept_back == 0 and nothing_held
        if ran_out:
            self.end(name, "exhausted", at)
            if not it.goes_on:
                self.hold(it, "exhausted", at)
        return committed, used - committed, max(held - used, 0), ran_out

    def late(self, wallet: str, at: int) -> str:
        """Return the account that pays for what nothing was reserved for; "" where there is none."""
        proven = (k for k in self.order(wallet) if self.accounts[k].proven)
        return self.pick(wallet, at) or self.wallets[wallet].active or next(proven, "")

    @staticmethod
    def hold(wallet: RefWallet, reason: str, at: int) -> None:
        if reason == "exhausted" and reason not in wallet.holds:
            wallet.exhausted_since = at
        wallet.holds.add(reason)
        wallet.ends.pop(reason, None)

    def judge(self, name: str, at: int) -> None:
        """Hold a wallet for its limit from the moment at which it is reached."""
        it = self.wallets[name]
        assert it.limit is not None
        it.limit.turn(at)
        if it.limit.reached and "limited" not in it.holds:
            it.holds.add("limited")
            it.ends["limited"] = it.limit.day + DAY + jitter_seconds(name)

    @staticmethod
    def release(wallet: RefWallet, *reasons: str) -> None:
        for reason in reasons:
            wallet.holds.discard(reason)
            wallet.ends.pop(reason, None)

    def do_PauseUntil(self, c: do.PauseUntil, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        if c.ends_at <= at:
            return "expired", 0, 0, 0
        self.wallets[c.wallet_id].holds.add("paused")
        self.wallets[c.wallet_id].ends["paused"] = c.ends_at
        return "done", 0, 0, 0

    def do_EndHold(self, c: do.EndHold, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        if at < c.ends_at:
            return "not_due", 0, 0, 0
        it = self.wallets[c.wallet_id]
        if it.ends.get(c.reason) == c.ends_at:
            self.release(it, c.reason)
            if c.reason == "limited" and it.limit is not None:
                self.judge(c.wallet_id, at)
        return "done", 0, 0, 0

    def do_LimitDay(self, c: do.LimitDay, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        it = self.wallets[c.wallet_id]
        before, it.limit = it.limit, None
        if c.octets is not None:
            spent, off = (before.spent, before.off) if before else (0, False)
            it.limit = RefLimit(c.octets, c.day_at)
            it.limit.turn(at)
            it.limit.spent, it.limit.off = spent, off
            self.judge(c.wallet_id, at)
        if it.limit is None or not it.limit.reached:
            self.release(it, "limited")
        return "done", 0, 0, 0

    def do_LiftLimit(self, c: do.LiftLimit, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        it = self.wallets[c.wallet_id]
        if it.limit is not None and not it.limit.off:
            it.limit.off = True
            self.release(it, "limited")
        return "done", 0, 0, 0

    def end(self, name: str, how: str, at: int) -> None:
        account = self.accounts[name]
        account.ended = how
        account.ended_at = at
        account.rank = None
        if self.wallets[account.wallet].active == name:
            self.wallets[account.wallet].active = None

    def do_OpenWallet(self, c: do.OpenWallet, at: int) -> Answer:
        self.wallets.setdefault(c.wallet_id, RefWallet())
        return "done", 0, 0, 0

    def do_Credit(self, c: do.Credit, at: int) -> Answer:
        known = self.accounts.get(c.account_id)
        if known is not None:
            asked = (c.wallet_id, c.amount_octets, c.expires_at)
            return ("done" if (known.wallet, known.total, known.expires_at) == asked else "conflict"), 0, 0, 0
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        if c.expires_at <= at:
            return "expired", 0, 0, 0
        self.accounts[c.account_id] = RefAccount(
            c.wallet_id, c.amount_octets, c.expires_at, len(self.accounts), kept_back=c.withheld_octets
        )
        return "done", 0, 0, 0

    def do_Disburse(self, c: do.Disburse, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        if (code := self.over(account, at)) is not None:
            return code, 0, 0, 0
        credited = account.credited
        if c.credited_octets > credited + account.kept_back:
            return "insufficient", 0, 0, 0
        account.kept_back -= max(0, c.credited_octets - credited)
        return "done", 0, 0, 0

    def do_ProveStorage(self, c: do.ProveStorage, at: int) -> Answer:
        if c.account_id not in self.accounts:
            return "unknown_account", 0, 0, 0
        account = self.accounts[c.account_id]
        if not account.proven:
            account.proven = True
            wallet = self.wallets[account.wallet]
            after = c.ordered_at > wallet.exhausted_since or wallet.goes_on
            if c.ordered_at and after and account.usable(at):
                self.release(wallet, "exhausted")
        return "done", 0, 0, 0

    def do_Reserve(self, c: do.Reserve, at: int) -> Answer:
        known = self.reservations.get(c.reservation_id)
        if known is not None and known[0] != c.wallet_id:
            return "conflict", 0, 0, 0
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        if known is not None:
            if known[2] == "closed":
                return "unknown_reservation", 0, 0, 0
            self.book(c.reservation_id, 0, at)
        code, octets = self.grant(c.reservation_id, c.wallet_id, c.ask, 0, at)
        if c.admit and code != "done":
            self.reservations.setdefault(c.reservation_id, [c.wallet_id, "", "open"])
        return code, octets, 0, 0

    def do_Admit(self, c: do.Admit, at: int) -> Answer:
        known = self.reservations.get(c.reservation_id)
        if known is not None:
            if known[0] != c.wallet_id:
                return "conflict", 0, 0, 0
            return ("done" if known[2] == "open" or c.over else "unknown_reservation"), 0, 0, 0
        if c.wallet_id == do.NOBODY:
            self.wallets.setdefault(do.NOBODY, RefWallet())
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        self.reservations[c.reservation_id] = [c.wallet_id, "", "closed" if c.over else "open"]
        return "done", 0, 0, 0

    def do_Commit(self, c: do.Commit, at: int) -> Answer:
        known = self.reservations.get(c.reservation_id)
        if known is None:
            return "unknown_reservation", 0, 0, 0
        committed, overrun, rest, ran_out = self.book(c.reservation_id, c.used_octets, at)
        code, octets = "done", 0
        if c.ask is not None:
            code, octets = "unknown_reservation", 0
            if known[2] == "open":
                code, octets = self.grant(c.reservation_id, known[0], c.ask, rest, at)
                code = "exhausted" if ran_out and code in ("on_hold", "nothing_usable") else code
        if c.close:
            self.reservations[c.reservation_id][2] = "closed"
        return code, octets, committed, overrun

    def do_Release(self, c: do.Release, at: int) -> Answer:
        known = self.reservations.get(c.reservation_id)
        if known is None:
            return "unknown_reservation", 0, 0, 0
        if known[1]:
            self.accounts[known[1]].held.pop(c.reservation_id, 0)
        known[2] = "closed"
        return "done", 0, 0, 0

    def do_HoldWallet(self, c: do.HoldWallet, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        usable = (self.accounts[k] for k in self.order(c.wallet_id))
        if c.reason == "paused" or not any(a.proven and at < a.expires_at for a in usable):
            self.hold(self.wallets[c.wallet_id], c.reason, at)
        return "done", 0, 0, 0

    def do_LiftHold(self, c: do.LiftHold, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        if c.account_id is not None:
            account = self.accounts.get(c.account_id)
            if account is None or account.wallet != c.wallet_id:
                return "unknown_account", 0, 0, 0
            if (code := self.over(account, at)) is not None:
                return code, 0, 0, 0
            if not account.proven:
                return "not_proven", 0, 0, 0
            chosen = [k for k in self.order(c.wallet_id) if self.accounts[k].rank is not None]
            self.rank([c.account_id, *(k for k in chosen if k != c.account_id)])
            self.wallets[c.wallet_id].active = c.account_id
        self.release(self.wallets[c.wallet_id], "paused", "exhausted")
        return "done", 0, 0, 0

    def do_OrderWallet(self, c: do.OrderWallet, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        for k in c.account_ids:
            if k not in self.accounts or self.accounts[k].wallet != c.wallet_id:
                return "unknown_account", 0, 0, 0
        for k in self.order(c.wallet_id):
            self.accounts[k].rank = None
        self.rank([k for k in c.account_ids if not self.accounts[k].ended])
        return "done", 0, 0, 0

    def rank(self, names: list[str]) -> None:
        for place, name in enumerate(names):
            self.accounts[name].rank = place

    def over(self, account: RefAccount, at: int) -> str | None:
        if account.ended:
            return {"exhausted": "exhausted", "expired": "expired", "revoked": "ended"}[account.ended]
        return "expired" if at >= account.expires_at else None

    def do_ContinueWithNext(self, c: do.ContinueWithNext, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        self.wallets[c.wallet_id].goes_on = c.enabled
        return "done", 0, 0, 0

    def do_Freeze(self, c: do.Freeze, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        self.wallets[c.wallet_id].frozen = c.frozen
        return "done", 0, 0, 0

    def do_Send(self, c: do.Send, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        if account.total is None:
            return "conflict", 0, 0, 0
        if self.wallets[account.wallet].frozen and not c.from_frozen:
            return "frozen", 0, 0, 0
        if (code := self.over(account, at)) is not None:
            return code, 0, 0, 0
        if account.left < c.amount_octets:
            return "insufficient", 0, 0, 0
        account.moved_out += c.amount_octets
        return "done", 0, 0, 0

    def do_Receive(self, c: do.Receive, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        if account.total is None:
            return "conflict", 0, 0, 0
        account.moved_in += c.amount_octets
        return "done", 0, 0, 0

    def do_Refund(self, c: do.Refund, at: int) -> Answer:
        if c.wallet_id not in self.wallets:
            return "unknown_wallet", 0, 0, 0
        active = self.wallets[c.wallet_id].active
        for name in ([active] if active else []) + self.order(c.wallet_id):
            account = self.accounts[name]
            if account.used >= c.amount_octets and at < account.expires_at:
                account.used -= c.amount_octets
                return "done", 0, 0, 0
        return "insufficient", 0, 0, 0

    def do_ReportUsage(self, c: do.ReportUsage, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        if not account.proven:
            return "not_proven", 0, 0, 0
        more = max(0, c.used_total_octets - account.counted)
        account.counted += more
        paid = 0 if account.ended else more if account.total is None else min(more, account.left)
        account.used += paid
        account.overrun += more - paid
        it = self.wallets[account.wallet]
        if not account.ended and more:
            if paid and it.active is None:
                it.active = c.account_id
            nothing_held = not any(account.held.values())
            if account.total is not None and account.left + account.kept_back == 0 and nothing_held:
                self.end(c.account_id, "exhausted", at)
                if not it.goes_on:
                    self.hold(it, "exhausted", at)
        return "done", 0, paid, more - paid

    def do_Expire(self, c: do.Expire, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        if at < account.expires_at:
            return "not_due", 0, 0, 0
        if not account.ended:
            self.end(c.account_id, "expired", at)
        return "done", 0, 0, 0

    def do_Revoke(self, c: do.Revoke, at: int) -> Answer:
        if c.account_id not in self.accounts:
            return "unknown_account", 0, 0, 0
        if not self.accounts[c.account_id].ended:
            self.end(c.account_id, "revoked", at)
        return "done", 0, 0, 0

    def do_Close(self, c: do.Close, at: int) -> Answer:
        account = self.accounts.get(c.account_id)
        if account is None:
            return "unknown_account", 0, 0, 0
        booked_on = any(it[1] == c.account_id for it in self.reservations.values())
        old = at >= account.ended_at + self.ended_seconds and at >= account.expires_at
        if not account.ended or booked_on or not old:
            return "not_due", 0, 0, 0
        del self.accounts[c.account_id]
        return "done", 0, 0, 0


def _same(one: do.Command, other: do.Command) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, do.Commit) and isinstance(other, do.Commit):
        wants = (one.ask is None) is (other.ask is None)
        return one.used_octets == other.used_octets and one.close == other.close and wants
    if isinstance(one, do.Reserve | do.Admit) and isinstance(other, do.Reserve | do.Admit):
        return one.wallet_id == other.wallet_id
    if isinstance(one, do.ProveStorage) and isinstance(other, do.ProveStorage):
        return (one.account_id, one.storage_proof) == (other.account_id, other.storage_proof)
    return one == other
