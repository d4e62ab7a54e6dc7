"""Profiles whose ICCIDs another operator gave: hexadecimal digits, or another last digit."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kswifi.cli.main import app
from kswifi.euicc.card import Euicc
from kswifi.euicc.storage import DirectoryStorage
from kswifi.kernel.numbers import Iccid
from kswifi.lab.phone.activation_code import ActivationCode
from kswifi.lab.phone.es10 import Es10
from kswifi.lab.phone.lpa import Lpa
from kswifi.lab.phone.sim import SimCard
from kswifi.rsp.messages.profiles import ProfileId
from tests.support.cards import profile_package
from tests.support.rsp import ADDRESS, SmallSmdp, metadata, new_card

CODE = ActivationCode(ADDRESS, "MATCH-1")
FOREIGN = ["898600B5012345678901", "8923401000000000010", "890000000000000001"]


def server_of(digits: str) -> SmallSmdp:
    number = Iccid.as_read(digits)
    return SmallSmdp(profile=profile_package(iccid=number), metadata=metadata(iccid=number.to_bytes()).encode())


@pytest.mark.parametrize("digits", FOREIGN)
def test_such_a_profile_is_downloaded_listed_switched_and_reported(digits: str) -> None:
    card, server = new_card(), server_of(digits)
    first = Lpa(card, SmallSmdp())
    first.download(CODE)
    first.process_notifications()
    lpa = Lpa(card, server)
    assert lpa.download(CODE).iccid == digits
    assert [done.failure for done in lpa.process_notifications()] == [None]
    assert [digits] == [Iccid.from_bytes(each.notification.iccid or b"") for each in server.results]
    phone = SimCard(card)
    assert [str(profile.iccid) for profile in phone.profiles()][1] == digits
    phone.enable(Iccid.as_read(digits))
    assert phone.iccid() == digits
    with Es10(card) as es10:
        es10.disable(ProfileId.of_iccid(Iccid.as_read(digits).to_bytes()))


@pytest.mark.parametrize("digits", FOREIGN)
def test_the_commands_take_such_a_number(digits: str, tmp_path: Path) -> None:
    made = new_card(storage=DirectoryStorage.open(tmp_path))
    Lpa(made, server_of(digits)).download(CODE)
    made.close()
    for arguments in (["list"], ["enable", digits], ["nickname", digits, "mine"], ["notifications"]):
        done = CliRunner().invoke(app, ["lpa", *arguments, "--card", str(tmp_path)])
        assert done.exit_code == 0, done.exception
        if arguments[0] in ("list", "notifications"):
            assert digits in done.output
    card = Euicc.open(DirectoryStorage.open(tmp_path))
    with Es10(card) as es10:
        assert es10.profiles()[0].nickname == "mine"
    card.close()
