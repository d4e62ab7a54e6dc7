"""The free allowance counts a mailbox once, however its address is written."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from kswifi.accounts.model import canonical_identifier
from kswifi.accounts.sql import user_account
from kswifi.free_data.errors import AllowanceExceededError
from tests.support.free_data import GB, open_free_data, user


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("ada@example.ng", "ada@example.ng"),
        ("ada+1@example.ng", "ada@example.ng"),
        ("a.da@example.ng", "a.da@example.ng"),
        ("a.d.a+x+y@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("+@example.ng", "+@example.ng"),
        ("+2348031234567", "+2348031234567"),
    ],
)
def test_the_canonical_form_of_an_identifier(written: str, canonical: str) -> None:
    assert canonical_identifier(written) == canonical


async def test_three_spellings_of_one_mailbox_share_one_allowance(tmp_path: Path) -> None:
    async with open_free_data(tmp_path) as given:

        def change(connection: Connection) -> None:
            for number, email in enumerate(("ada@gmail.com", "ada+1@gmail.com", "a.da@googlemail.com")):
                this = user_account.c.user_id == user(number)
                connection.execute(update(user_account).where(this).values(email=email))

        await given.database.write(change)
        await given.order(user(0), 5 * GB)
        for number in (1, 2):
            with pytest.raises(AllowanceExceededError):
                await given.order(user(number), GB)
