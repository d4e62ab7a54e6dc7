"""`kswifi staff ...`: who may sign in at the console, and in which role."""

from typing import TYPE_CHECKING, Annotated

import typer

from kswifi.cli.desk.opened import AsJson, print_json, read, shell_operator, write

if TYPE_CHECKING:
    from kswifi.desk.roles import Role

staff_app = typer.Typer(help="Staff of the console: add, list, role, disable.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, dots or hyphens.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="founder, support or administrator.")]


@staff_app.command("add")
def add(name: Name, role: RoleName) -> None:
    """Add a member of staff; print the one-time link with which they make a passkey."""
    from kswifi.desk.staff import add_member

    token = write(lambda connection: add_member(connection, shell_operator(), name, _role(role)))
    _say_link(name, token)


@staff_app.command("invite")
def invite(name: Name) -> None:
    """Print a new one-time link for a member who has lost the passkey or the first link."""
    from kswifi.desk.staff import invite_again

    _say_link(name, write(lambda connection: invite_again(connection, shell_operator(), name)))


@staff_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the members of staff."""
    from kswifi.desk.staff import members

    found = read(members)
    if as_json:
        print_json({"staff": found})
        return
    for it in found:
        state = "disabled" if it.disabled_at else f"{it.passkeys} passkeys"
        print(f"  {it.name:30} {it.role:14} {state}")
    if not found:
        print("  no member of staff yet: kswifi staff add NAME founder")


@staff_app.command("role")
def role(name: Name, new_role: RoleName) -> None:
    """Change the role of a member."""
    from kswifi.desk.staff import set_role

    member = write(lambda connection: set_role(connection, shell_operator(), name, _role(new_role)))
    print(f"{member.name}: {member.role}")


@staff_app.command("disable")
def disable(name: Name) -> None:
    """Disable a member: every sign-in ends, and passkeys and links no longer work."""
    from kswifi.desk.staff import disable as disable_member

    print(f"{write(lambda connection: disable_member(connection, shell_operator(), name)).name}: disabled")


def _role(text: str) -> "Role":
    from kswifi.desk.errors import STAFF_NAME_INVALID
    from kswifi.desk.roles import STAFF_ROLES, Role

    if text not in STAFF_ROLES:
        raise STAFF_NAME_INVALID(f"a role is one of {', '.join(STAFF_ROLES)}")
    return Role(text)


def _say_link(name: str, token: str) -> None:
    from kswifi.settings import load_settings

    settings = load_settings()
    origin = settings.console_origin or f"http://localhost:{settings.console_port}"
    print(f"{name} makes a passkey at this link, once, within a day:\n  {origin}/enrol/{token}")
