"""Sessions taken back between a card's proof and the projector's word, while the ledger may let them be spent."""

from pathlib import Path

import pytest

from kswifi.free_data.budgets import find_budget, set_budget
from kswifi.free_data.errors import BudgetGoneError
from kswifi.free_data.model import BudgetKind
from kswifi.free_data.rules import FreeDataRules
from kswifi.ledger.commands import OutcomeCode
from kswifi.sessions.account_deletion import forget_owner
from kswifi.sessions.model import SessionState
from tests.support.session_roads import ADA, BOLA, GB, open_road


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_the_card_has_proved_is_taken_back_by_the_ledger_and_its_money_with_it(
    tmp_path: Path, *, deleted: bool
) -> None:
    """Until the ledger answers, the data may be spent, and its money funds no other session."""
    async with open_road(tmp_path, FreeDataRules(cost_kobo_per_gb=20_000)) as road:
        await road.database.write(
            lambda connection: set_budget(connection, "operator", BudgetKind.OPERATOR, 20_000)
        )
        session = await road.transferring()
        await road.prove(session)
        await road.worker.run_until_idle()  # the ledger knows, and the projector has not read it
        if deleted:
            await road.database.write(lambda connection: forget_owner(connection, ADA))
        else:
            assert (await road.downloads.cancel(ADA, session.session_id)).state is SessionState.TRANSFERRING
        assert (await road.reserve(session, GB // 10)).code is OutcomeCode.DONE
        await road.commit(session, GB // 10)
        with pytest.raises(BudgetGoneError):
            await road.downloads.download_session(BOLA, GB)
        await road.settle()
        assert (await road.now(session)).state is SessionState.REVOKED
        budget = await road.database.read(lambda connection: find_budget(connection, "operator"))
        assert (budget.reserved_kobo, budget.spent_kobo) == (0, 2_000)
