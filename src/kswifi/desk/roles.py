"""The roles of the operator's staff, and which actions each allows. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kswifi.desk.errors import ROLE_MAY_NOT


class Role(StrEnum):
    """The role of a member of staff; SHELL: a person at the server's shell, SERVER: a rule of the server."""

    FOUNDER = "founder"
    SUPPORT = "support"
    ADMINISTRATOR = "administrator"
    SHELL = "shell"
    SERVER = "server"


STAFF_ROLES: Final = (Role.FOUNDER, Role.SUPPORT, Role.ADMINISTRATOR)
"""The roles that a staff account can have."""


class Permission(StrEnum):
    """Something that only some roles may do. Every role may sign in, search and read."""

    HELP_CUSTOMERS = "help_customers"
    """Check callers, sign customers out, freeze and thaw lines, revoke, give goodwill, refund, answer disputes."""
    REVEAL = "reveal"
    """See a whole phone number or email address; each time is recorded."""
    APPROVE_GOODWILL = "approve_goodwill"
    RUN_JOBS = "run_jobs"
    CHANGE_MONEY = "change_money"
    """Change budgets, stop and resume free data, make vouchers."""
    ANNOUNCE = "announce"
    """Begin and end the incidents that the app shows."""
    REVIEW_HOLDS = "review_holds"
    """Release or keep the hold of one account."""
    HOLD_ACCOUNTS = "hold_accounts"
    """Hold and release many accounts at once, freeze their lines, and undo that."""
    READ_AUDIT = "read_audit"
    MANAGE_STAFF = "manage_staff"
    DELETE_ACCOUNTS = "delete_accounts"


_F, _S, _A = Role.FOUNDER, Role.SUPPORT, Role.ADMINISTRATOR

ALLOWED: Final[dict[Permission, frozenset[Role]]] = {
    Permission.HELP_CUSTOMERS: frozenset({_F, _S}),
    Permission.REVEAL: frozenset({_F, _S}),
    Permission.APPROVE_GOODWILL: frozenset({_F, _A}),
    Permission.RUN_JOBS: frozenset({_F, _A}),
    Permission.CHANGE_MONEY: frozenset({_F}),
    Permission.ANNOUNCE: frozenset({_F, _S, _A}),
    Permission.REVIEW_HOLDS: frozenset({_F, _S, _A}),
    Permission.HOLD_ACCOUNTS: frozenset({_F, _A}),
    Permission.READ_AUDIT: frozenset({_F, _A}),
    Permission.MANAGE_STAFF: frozenset({_F}),
    Permission.DELETE_ACCOUNTS: frozenset({_F}),
}
"""Which staff roles each permission belongs to. A person at the server's shell may do everything."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The person who acts, as the audit trail names them."""

    name: str
    role: Role

    def may(self, permission: Permission) -> bool:
        """Return whether the role has a permission."""
        return self.role is Role.SHELL or self.role in ALLOWED[permission]

    def require(self, permission: Permission) -> None:
        """Refuse an action that the role does not allow.

        Raises:
            ROLE_MAY_NOT: it does not.
        """
        if not self.may(permission):
            raise ROLE_MAY_NOT(f"a {self.role} may not do this", role=str(self.role), permission=str(permission))
