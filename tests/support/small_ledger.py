"""A ledger in memory with one wallet, for examples."""

from kswifi.ledger import commands as do
from kswifi.ledger import effects as fx
from kswifi.ledger.commands import Ask, Command, Outcome
from kswifi.ledger.model import apply
from kswifi.ledger.state import AccountStatus, LedgerState, Retention
from kswifi.ledger.verify import verify

NOW = 1_800_000_000
LATER = NOW + 30 * 86_400
MB = 1_000_000


class Ledger:
    """A ledger with a clock, and ids that count up."""

    def __init__(self) -> None:
        self.state, self.at, self.count = LedgerState(Retention()), NOW, 0
        self.effects: tuple[fx.Effect, ...] = ()

    def do(self, command: Command) -> Outcome:
        outcome, self.effects = apply(self.state, command, self.at)
        assert verify(self.state) == []
        return outcome

    def id(self, prefix: str = "c") -> str:
        self.count += 1
        return f"{prefix}#{self.count}"

    def credit(self, account: str, octets: int | None, expires_at: int = LATER, wallet: str = "w") -> None:
        assert self.do(do.Credit(self.id(), wallet, account, octets, expires_at)).code == "done"
        assert self.do(do.ProveStorage(self.id(), account, "por")).code == "done"

    def reserve(self, octets: int = 10 * MB, name: str = "s", whole: int | None = None) -> Outcome:
        ask = Ask(octets, octets if whole is None else whole, self.at + 60)
        return self.do(do.Reserve(self.id(name), name, "w", ask))

    def commit(self, used: int, ask: int | None = 10 * MB, name: str = "s", *, close: bool = False) -> Outcome:
        asked = None if ask is None or close else Ask(ask, ask, self.at + 60)
        return self.do(do.Commit(self.id(name), name, used, asked, close))

    def octets(self, account: str) -> tuple[int, int, int]:
        it = self.state.accounts[account]
        return it.used, it.reserved, it.available

    def order(self) -> tuple[str, ...]:
        return self.state.wallets["w"].account_ids

    def status(self, account: str) -> AccountStatus:
        return self.state.accounts[account].status

    def kinds(self) -> list[str]:
        return [type(it).__name__ for it in self.effects if not isinstance(it, fx.Answered)]
