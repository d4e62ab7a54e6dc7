"""The name of the user in the log of exported keys."""

import os
import pwd

import pytest

from kswifi.cli.provisioning.operating_user import operating_user

VARIABLES = ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER")


def test_a_user_without_a_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert operating_user() == f"uid {os.getuid()}"


def test_the_environment_does_not_choose_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    known = pwd.struct_passwd(("kswifi", "x", os.getuid(), 1, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", {os.getuid(): known}.__getitem__)
    for name in VARIABLES:
        monkeypatch.setenv(name, "somebody-else")
    assert operating_user() == "kswifi"
