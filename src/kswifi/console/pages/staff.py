"""Staff: who may sign in, in which role; add, invite again, change the role, disable."""

from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from kswifi.console.visit import Page, Visit
from kswifi.desk.roles import STAFF_ROLES, Permission, Role
from kswifi.desk.staff import add_member, disable, invite_again, members, set_role

MANAGE: Final = Permission.MANAGE_STAFF


async def _staff(visit: Visit) -> Response:
    return await _page(visit)


async def _add(visit: Visit) -> Response:
    name, role = visit.field("name"), _role(visit)
    token = await visit.write(lambda connection: add_member(connection, visit.member.operator, name, role))
    return await _page(visit, f"{visit.services.origin}/enrol/{token}")


async def _invite(visit: Visit) -> Response:
    name = visit.part("name")
    token = await visit.write(lambda connection: invite_again(connection, visit.member.operator, name))
    return await _page(visit, f"{visit.services.origin}/enrol/{token}")


async def _set_role(visit: Visit) -> Response:
    name, role = visit.part("name"), _role(visit)
    await visit.write(lambda connection: set_role(connection, visit.member.operator, name, role))
    return visit.to("/staff", f"{name} is {role} now")


async def _disable(visit: Visit) -> Response:
    name = visit.part("name")

    def change(connection: Connection) -> None:
        disable(connection, visit.member.operator, name)

    await visit.write(change)
    return visit.to("/staff", f"{name} can no longer sign in")


async def _page(visit: Visit, link: str | None = None) -> Response:
    """Return the page; a one-time link is shown once, to be handed to the new member."""
    found = await visit.read(members)
    return visit.page("staff.html", members=found, roles=[str(it) for it in STAFF_ROLES], link=link)


def _role(visit: Visit) -> Role:
    text = visit.field("role")
    return Role(text) if text in list(Role) else Role.SHELL  # which is no role of staff, and refused


PAGES: Final = (
    Page("GET", "/staff", _staff, MANAGE),
    Page("POST", "/staff", _add, MANAGE),
    Page("POST", "/staff/{name}/invite", _invite, MANAGE),
    Page("POST", "/staff/{name}/role", _set_role, MANAGE),
    Page("POST", "/staff/{name}/disable", _disable, MANAGE),
)
