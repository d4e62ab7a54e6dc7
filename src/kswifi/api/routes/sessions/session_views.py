"""Request and response bodies of sessions and eSIMs."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from kswifi.api.edge.pages import PageView
from kswifi.api.edge.schemas import WHOLE, Instant, RequestBody, ResponseBody
from kswifi.desk.notices import Notice, NoticeKind
from kswifi.esim.lines.packets import ProofResult
from kswifi.esim.model import ESim, Hold, LineKind, ProfileState
from kswifi.esim.ports import StorageProof
from kswifi.kernel.pages import FIRST_PAGE, PageRequest, page_of
from kswifi.sessions.card.packets import CardContents, HandedPacket
from kswifi.sessions.card.slots import CardRecord
from kswifi.sessions.model import Balance, SessionOverview, SessionSource, SessionState, UsageData
from kswifi.sessions.orders import NEW_ESIM

_EXAMPLE_ID = "019ab0de-0000-7000-8000-000000000001"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class OrderBody(RequestBody):
    """What to order: an offer by its id, or by the size of its session."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["offer_id"],
                    "properties": {"offer_id": {"type": "string"}},
                    "not": {"required": ["session_size_octets"]},
                },
                {"required": ["session_size_octets"], "properties": {"offer_id": {"type": "null"}}},
            ]
        }
    )

    offer_id: Annotated[str | None, Field(max_length=32, examples=["free-1gb"])] = None
    session_size_octets: Annotated[
        Annotated[int, Field(ge=1, le=10**15), WHOLE] | None,
        Field(description="Instead of offer_id: the size of an offer; null is uncapped."),
    ] = None
    esim_id: Annotated[
        str | None,
        Field(
            pattern=_UUID, description="One of your eSIMs; else your installed one, or a new one if you have none."
        ),
    ] = None
    new_esim: Annotated[
        bool,
        Field(description="A new eSIM although you have one: its phone is lost, say. Goes before `esim_id`."),
    ] = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.offer_id is not None) == ("session_size_octets" in self.model_fields_set):
            raise ValueError("give either offer_id or session_size_octets")
        return self

    @property
    def wanted_esim(self) -> str | None:
        """The eSIM of the order, as ``SessionDownloadService.order`` takes it."""
        return NEW_ESIM if self.new_esim else self.esim_id


class DownloadedBody(RequestBody):
    """The digest of the package on the device."""

    sha256: Annotated[
        str, Field(pattern=r"^[0-9a-fA-F]{64}$", description="SHA-256 of the whole package, in hexadecimal.")
    ]


class TransferBody(RequestBody):
    """The eSIM to transfer to; the session's own eSIM if left out."""

    esim_id: Annotated[str | None, Field(pattern=_UUID, examples=[_EXAMPLE_ID])] = None


class BalanceView(ResponseBody):
    """Octets; credited = used + reserved + available + expired + revoked, without overrun and withheld."""

    credited: int
    used: int
    reserved: int
    available: int
    overrun: int
    expired: int
    revoked: int
    withheld: Annotated[
        int, Field(description="Part of a free session that is released once what came before is used.")
    ]


class SessionView(ResponseBody):
    """An internet session with its state and balance."""

    session_id: Annotated[str, Field(examples=[_EXAMPLE_ID])]
    esim_id: str
    line_kind: Annotated[LineKind, Field(description="What the line is; see `EsimView`.")]
    iccid: Annotated[
        str | None, Field(description="null on a data provider's line.", examples=["8999901000000000013"])
    ]
    offer_id: Annotated[str, Field(examples=["free-1gb"])]
    allowance_octets: Annotated[int | None, Field(description="null is uncapped", examples=[1_000_000_000])]
    state: SessionState
    state_reason: str | None
    ordered_at: Instant
    valid_until: Annotated[Instant, Field(description="The first instant at which it is no longer valid.")]
    package_octets: Annotated[int | None, Field(description="Known once it is signed.")]
    package_sha256: str | None
    storage_proof: Annotated[
        StorageProof | None,
        Field(description="How the card proved that it holds it; set before `stored`, which the ledger says."),
    ]
    activated_at: Annotated[Instant | None, Field(description="When the network committed its first octet.")]
    hold: Annotated[Hold | None, Field(description="Why its line is control-only, if it is.")]
    source: Annotated[SessionSource, Field(description="`order`, or where its octets come from.")]
    sent_octets: Annotated[int, Field(description="Octets of the allowance that you gave, shared or moved.")]
    moved_to: Annotated[str | None, Field(description="The session on your new eSIM that continues this one.")]
    balance: BalanceView
    as_of: Annotated[Instant | None, Field(description="The instant that the balance speaks of.")]


class FreeAllowanceView(ResponseBody):
    """The free allowance of the rolling period, and what is left of it."""

    octets: Annotated[int, Field(examples=[5_000_000_000])]
    days: Annotated[int, Field(examples=[30])]
    left_octets: Annotated[int, Field(examples=[4_000_000_000])]


class NoticeView(ResponseBody):
    """What the operator has to tell you now."""

    kind: Annotated[
        NoticeKind,
        Field(
            description="incident: a disturbance; frozen: support has stopped a line; move: a move waits; "
            "held: free data is held; "
            "caller_code: see `code`."
        ),
    ]
    words: Annotated[str, Field(description="What to show, in English.")]
    code: Annotated[str | None, Field(description="Read it out only if you have called support yourself.")]
    at: Annotated[Instant | None, Field(description="Since when; of a caller code, until when.")]


class SessionsView(PageView):
    """Your sessions, the newest first."""

    sessions: list[SessionView]
    free: FreeAllowanceView
    notices: list[NoticeView]


class UsageView(ResponseBody):
    """The usage of a session, and the instant to which it is known."""

    session_id: str
    esim_id: str
    state: SessionState
    allowance_octets: int | None
    balance: BalanceView
    as_of: Instant | None
    valid_until: Instant
    hold: Hold | None


class EsimView(ResponseBody):
    """An eSIM of yours, and its line."""

    esim_id: Annotated[str, Field(examples=[_EXAMPLE_ID])]
    kind: Annotated[
        LineKind,
        Field(description="`card`: ours. `profile`: issued by a data provider. `own_line`: the line you have."),
    ]
    iccid: Annotated[
        str | None, Field(description="null on a data provider's line.", examples=["8999901000000000013"])
    ]
    imsi: Annotated[str | None, Field(examples=["001010000000001"])]
    eid: str | None
    profile_state: ProfileState
    hold: Annotated[Hold | None, Field(description="What the network has confirmed.")]
    wants_pause: Annotated[bool, Field(description="What you asked for last.")]
    frozen: Annotated[bool, Field(description="Support has stopped the line; nobody can switch it on until then.")]
    created_at: Instant


class EsimsView(PageView):
    """Your eSIMs, the newest first."""

    esims: list[EsimView]


def notice_view(notice: Notice) -> NoticeView:
    """Return the view of a notice."""
    return NoticeView(kind=notice.kind, words=notice.words, code=notice.code, at=notice.at)


def session_view(overview: SessionOverview) -> SessionView:
    """Return the view of a session."""
    session, usage = overview.session, overview.usage
    return SessionView(
        session_id=session.session_id,
        esim_id=session.esim_id,
        line_kind=overview.line_kind,
        iccid=None if overview.iccid is None else str(overview.iccid),
        offer_id=session.offer_id,
        allowance_octets=session.allowance_octets,
        state=session.state,
        state_reason=session.state_reason,
        ordered_at=session.ordered_at,
        valid_until=session.valid_until,
        package_octets=session.package_octets,
        package_sha256=session.package_sha256,
        storage_proof=session.storage_proof,
        activated_at=session.activated_at,
        hold=usage.hold,
        source=session.source,
        sent_octets=session.sent_octets,
        moved_to=session.moved_to,
        balance=balance_view(usage.balance),
        as_of=usage.as_of,
    )


def usage_view(usage: UsageData) -> UsageView:
    """Return the view of a session's usage."""
    return UsageView(
        session_id=usage.session_id,
        esim_id=usage.esim_id,
        state=usage.state,
        allowance_octets=usage.allowance_octets,
        balance=balance_view(usage.balance),
        as_of=usage.as_of,
        valid_until=usage.valid_until,
        hold=usage.hold,
    )


def balance_view(balance: Balance) -> BalanceView:
    """Return the view of a balance."""
    return BalanceView(
        credited=balance.credited,
        used=balance.used,
        reserved=balance.reserved,
        available=balance.available,
        overrun=balance.overrun,
        expired=balance.expired,
        revoked=balance.revoked,
        withheld=balance.withheld,
    )


def esim_view(esim: ESim) -> EsimView:
    """Return the view of an eSIM, without its keys."""
    return EsimView(
        esim_id=esim.esim_id,
        kind=esim.kind,
        iccid=None if esim.iccid is None else str(esim.iccid),
        imsi=None if esim.imsi is None else str(esim.imsi),
        eid=None if esim.eid is None else str(esim.eid),
        profile_state=esim.profile_state,
        hold=esim.hold,
        wants_pause=esim.wants_pause,
        frozen=esim.frozen,
        created_at=esim.created_at,
    )


class CardRecordView(ResponseBody):
    """One record of the card, and the session that it holds."""

    record_number: Annotated[int, Field(ge=1, le=8)]
    session_id: str
    state: SessionState
    place: Annotated[int, Field(description="In the order of use, from 1; 0 for a session that is over.")]
    proved: Annotated[bool, Field(description="Whether the card has proved that it says what it shall.")]
    failure: Annotated[str | None, Field(description="What the card said last, where it was no proof.")]


class CardContentsView(PageView):
    """The sessions on an eSIM, their order of use, and whether the next one follows automatically."""

    esim_id: str
    records: list[CardRecordView]
    order: Annotated[list[str], Field(description="Sessions in the order of use, as the ledger has confirmed it.")]
    active_session_id: str | None
    continue_with_next: Annotated[bool, Field(description="As the ledger has confirmed it.")]
    wants_order: Annotated[list[str], Field(description="What you asked for last.")]
    wants_next: bool
    packets_waiting: Annotated[int, Field(description="Records that a packet has to be handed to the card for.")]


class ArrangeBody(RequestBody):
    """The changes; a member that is left out stays unchanged."""

    order: Annotated[
        list[Annotated[str, Field(pattern=_UUID)]] | None,
        Field(max_length=8, description="Sessions to be used first; the others follow by their expiry."),
    ] = None
    continue_with_next: Annotated[
        bool | None, Field(description="Whether the next session follows a finished one by itself.")
    ] = None


class PacketView(ResponseBody):
    """A secured packet for the card: ENVELOPE commands (3GPP TS 31.111), to be sent in this order."""

    packet_id: Annotated[str, Field(examples=["2-17"])]
    session_id: str
    record_number: int
    iccid: Annotated[str, Field(description="The profile that has to be enabled.")]
    envelopes: Annotated[list[str], Field(description="Command APDUs in hexadecimal.")]


class NextPacketView(ResponseBody):
    """The next packet; null if the card has proved every record."""

    packet: PacketView | None


class PacketAnswerBody(RequestBody):
    """The card's response to the last ENVELOPE: its data, then the two octets of the status word."""

    answer: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2}){2,300}$", examples=["6985"])]


class ProofView(ResponseBody):
    """The result of a packet."""

    result: ProofResult
    status: Annotated[str, Field(examples=["por_ok", "counter_low", "status_word_6985"])]


def card_contents_view(contents: CardContents, page: PageRequest = FIRST_PAGE) -> CardContentsView:
    """Return the view of a card's contents, with a page of its records."""
    shown = page_of(sorted(contents.records, key=lambda it: it.number), lambda it: (it.number,), page)
    order = list(contents.order)
    active = (SessionState.ACTIVE, SessionState.PAUSED)
    states = {it.session_id: it.state for it in contents.records}
    return CardContentsView(
        esim_id=contents.esim.esim_id,
        records=[_card_record_view(it, order) for it in shown.items],
        order=order,
        active_session_id=next((it for it in order if states[it] in active), None),
        continue_with_next=contents.line.continues,
        wants_order=list(contents.line.wanted_order),
        wants_next=contents.line.wants_next,
        packets_waiting=sum(not it.settled for it in contents.records),
        next=shown.cursor,
    )


def packet_view(packet: HandedPacket) -> PacketView:
    """Return the view of a packet."""
    return PacketView(
        packet_id=packet.packet_id,
        session_id=packet.session_id,
        record_number=packet.number,
        iccid=packet.iccid,
        envelopes=[it.hex() for it in packet.envelopes],
    )


def _card_record_view(record: CardRecord, order: list[str]) -> CardRecordView:
    return CardRecordView(
        record_number=record.number,
        session_id=record.session_id,
        state=record.state,
        place=order.index(record.session_id) + 1 if record.session_id in order else 0,
        proved=record.settled,
        failure=record.failure,
    )
