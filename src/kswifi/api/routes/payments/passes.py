"""A user's pass, and the rules of passes."""

from fastapi import APIRouter

from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.pages import PageQuery
from kswifi.api.edge.problems import problem_responses
from kswifi.api.routes.payments.payment_views import PassRulesView, PassView, period_view, rules_view
from kswifi.database.types import unix_microseconds
from kswifi.kernel.pages import page_of
from kswifi.payments.service import passes_held

router = APIRouter(prefix="/api/v1/pass", tags=["payments"])


@router.get("", summary="Your pass", responses=problem_responses("not_signed_in"))
async def read_pass(user: SignedInUser, services: ServicesDep, page: PageQuery) -> PassView:
    """Return your pass. While it runs, every session you order belongs to it and ends with it.

    The end of a session is fixed when you download it: after an extension of the pass, download a new session.
    """
    periods, active = await passes_held(services.database, user.user.user_id)
    shown = page_of(periods, lambda it: (unix_microseconds(it.starts_at), it.reference), page)
    return PassView(
        active=active,
        ends_at=periods[-1].ends_at if periods else None,
        periods=[period_view(it) for it in shown.items],
        rules=_rules(services),
        next=shown.cursor,
    )


@router.get("/rules", summary="What to know before buying a pass")
async def read_pass_rules(services: ServicesDep) -> PassRulesView:
    """Return the fair-use limit, if there is one, and whether real money is charged. No sign-in is needed."""
    return _rules(services)


def _rules(services: ServicesDep) -> PassRulesView:
    if services.payments is None:
        return rules_view(None, sandbox=False)
    return rules_view(services.payments.rules, sandbox=services.payments.gateway.sandbox)
