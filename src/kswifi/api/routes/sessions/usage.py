"""A person's use of data: how it stands, by hour, day and week, and by session."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from kswifi.api.edge.dependencies import SignedInUser
from kswifi.api.edge.pages import PageQuery, PageView
from kswifi.api.edge.problems import problem_responses
from kswifi.api.edge.schemas import Instant, ResponseBody
from kswifi.api.edge.session_dependencies import SessionServicesDep
from kswifi.esim.model import LineKind
from kswifi.people.use import SessionUse
from kswifi.people.use_model import CountedBy, HourUse, Period, PeriodUse
from kswifi.sessions.model import SessionState
from kswifi.supply.orders import OrderState
from kswifi.supply.records import ProviderOrder

router = APIRouter(prefix="/api/v1/usage", tags=["usage"])

_PORTIONS = (
    "Of these, portions that were sent to the line that you have: when they were used, only your network knows."
)


class PeriodUseView(ResponseBody):
    """The use of one hour, day or week; days and weeks are those of the operator's time zone, weeks from Monday."""

    starts_at: Instant
    ends_at: Annotated[Instant, Field(description="The first instant after it.")]
    octets: Annotated[int, Field(description="Both ways together.")]
    uplink_octets: Annotated[int, Field(description="From your phone, where the network tells directions apart.")]
    downlink_octets: Annotated[int, Field(description="To your phone; both are 0 where it does not.")]
    portion_octets: Annotated[int, Field(description=_PORTIONS)]


class PeriodsView(PageView):
    """The periods with use, the newest first; a page may be shorter than `limit` and still have a `next`."""

    by: Period
    time_zone: Annotated[str, Field(examples=["Africa/Lagos"])]
    periods: list[PeriodUseView]


class BusyHourView(ResponseBody):
    """An hour with much use."""

    starts_at: Instant
    octets: int
    portion_octets: Annotated[int, Field(description=_PORTIONS)]


class UseView(ResponseBody):
    """How your use of data stands, on all your lines together."""

    time_zone: Annotated[str, Field(description="The zone of the days and weeks.", examples=["Africa/Lagos"])]
    today: PeriodUseView
    this_week: PeriodUseView
    last_week: PeriodUseView
    last_week_so_far_octets: Annotated[
        int, Field(description="What you had used last week at this time of the week; compare it with this week.")
    ]
    pace_octets: Annotated[
        int | None,
        Field(description="Octets a day in the last seven days, without portions; null without any use."),
    ]
    left_octets: Annotated[
        int | None,
        Field(description="What is left of your stored sessions on lines that are counted; null: uncapped."),
    ]
    lasts_until: Annotated[
        Instant | None,
        Field(description="When nothing is left at this pace; null without a pace or a stored session."),
    ]
    ends_by: Annotated[
        Literal["use", "validity"] | None,
        Field(description="`use`: the octets end then. `validity`: the last session's validity does."),
    ]
    lapsing_octets: Annotated[
        int | None, Field(description="What is left unused at the end of its validity, at this pace.")
    ]
    biggest_hours: Annotated[
        list[BusyHourView], Field(description="The hours of the last 30 days with the most use, at most 5.")
    ]
    kept_days: Annotated[int, Field(description="How many days the use by hour is kept.")]
    destinations_known: Annotated[
        Literal[False],
        Field(
            description="Always false: which sites, apps or people you reached is not recorded. "
            "Only the number of octets in each hour is."
        ),
    ]


class UsePortionView(ResponseBody):
    """One portion of a session on the line that you have; your network counts inside it."""

    number: Annotated[int, Field(description="Of the session, from 1.")]
    octets: int
    state: OrderState
    delivered_at: Instant | None


class SessionUseView(ResponseBody):
    """The use of one session."""

    session_id: str
    esim_id: str
    offer_id: str
    line_kind: LineKind
    state: SessionState
    allowance_octets: Annotated[int | None, Field(description="null is uncapped")]
    left_octets: Annotated[int | None, Field(description="null is uncapped")]
    valid_until: Instant
    octets: Annotated[int, Field(description="Used, both ways; on the line that you have: sent to it.")]
    uplink_octets: int
    downlink_octets: int
    first_at: Annotated[Instant | None, Field(description="The beginning of the first hour with use.")]
    last_at: Annotated[Instant | None, Field(description="The beginning of the last hour with use.")]
    counted_by: Annotated[
        CountedBy,
        Field(
            description="`network`: ours, to the octet. `provider`: the data provider's counter, which comes late. "
            "`your_network`: only the portions are known here."
        ),
    ]
    portions: Annotated[
        list[UsePortionView], Field(description="On the line that you have; they are as many as fit the session.")
    ]


class SessionUsesView(PageView):
    """Your sessions with their use, the newest first."""

    sessions: list[SessionUseView]


@router.get("", summary="How your use stands", responses=problem_responses("not_signed_in"))
async def read_use(user: SignedInUser, services: SessionServicesDep) -> UseView:
    """Return your use of today and this week, the pace, and how long what you have lasts at this pace."""
    use = services.use
    found = await use.summary(user.user.user_id)
    ahead = found.forecast
    return UseView(
        time_zone=str(use.zone),
        today=_period_view(found.today),
        this_week=_period_view(found.this_week),
        last_week=_period_view(found.last_week),
        last_week_so_far_octets=found.last_week_so_far_octets,
        pace_octets=found.pace_octets,
        left_octets=found.left_octets,
        lasts_until=None if ahead is None else ahead.lasts_until,
        ends_by=None if ahead is None else "use" if ahead.used_up else "validity",
        lapsing_octets=None if ahead is None else ahead.lapsing_octets,
        biggest_hours=[_busy_hour_view(it) for it in found.biggest_hours],
        kept_days=use.kept_days,
        destinations_known=False,
    )


@router.get(
    "/periods",
    summary="Your use by hour, day or week",
    responses=problem_responses("page_cursor_invalid", "not_signed_in"),
)
async def list_periods(
    user: SignedInUser,
    services: SessionServicesDep,
    page: PageQuery,
    by: Annotated[Period, Query(description="The length of a period.")] = Period.DAY,
) -> PeriodsView:
    """List the hours, days or weeks in which you used data; those without use are left out."""
    found = await services.use.periods(user.user.user_id, by, page)
    return PeriodsView(
        by=by,
        time_zone=str(services.use.zone),
        periods=[_period_view(it) for it in found.items],
        next=found.cursor,
    )


@router.get("/sessions", summary="Your use by session", responses=problem_responses("not_signed_in"))
async def list_session_uses(user: SignedInUser, services: SessionServicesDep, page: PageQuery) -> SessionUsesView:
    """List your sessions with what they used, and the portions of those on the line that you have."""
    found = await services.use.sessions(user.user.user_id, page)
    return SessionUsesView(sessions=[_session_view(it) for it in found.items], next=found.cursor)


def _period_view(it: PeriodUse) -> PeriodUseView:
    return PeriodUseView(
        starts_at=it.starts_at,
        ends_at=it.ends_at,
        octets=it.octets,
        uplink_octets=it.uplink_octets,
        downlink_octets=it.downlink_octets,
        portion_octets=it.portion_octets,
    )


def _busy_hour_view(it: HourUse) -> BusyHourView:
    return BusyHourView(starts_at=it.starts_at, octets=it.octets, portion_octets=it.portion_octets)


def _session_view(it: SessionUse) -> SessionUseView:
    session, balance = it.overview.session, it.overview.usage.balance
    left = balance.available + balance.reserved + balance.withheld
    return SessionUseView(
        session_id=session.session_id,
        esim_id=session.esim_id,
        offer_id=session.offer_id,
        line_kind=it.overview.line_kind,
        state=session.state,
        allowance_octets=session.allowance_octets,
        left_octets=None if session.allowance_octets is None else left,
        valid_until=session.valid_until,
        octets=it.octets,
        uplink_octets=it.uplink_octets,
        downlink_octets=it.downlink_octets,
        first_at=it.first_at,
        last_at=it.last_at,
        counted_by=it.counted_by,
        portions=[_portion_view(order) for order in it.portions],
    )


def _portion_view(order: ProviderOrder) -> UsePortionView:
    return UsePortionView(
        number=order.number, octets=order.covers_octets, state=order.state, delivered_at=order.delivered_at
    )
