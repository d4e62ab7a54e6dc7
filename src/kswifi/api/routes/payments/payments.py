"""Payments: begin one, follow its state, request a refund, get the receipt."""

from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response

from kswifi.accounts.model import User
from kswifi.api.edge.dependencies import ServicesDep, SignedInUser
from kswifi.api.edge.idempotency import Idempotent
from kswifi.api.edge.pages import PageQuery
from kswifi.api.edge.problems import problem_responses
from kswifi.api.routes.payments.payment_views import BeginPaymentBody, PaymentsView, PaymentView, payment_view
from kswifi.payments.errors import PaymentsNotSetUpError
from kswifi.payments.receipts import SANDBOX_WORDS, Receipt, receipt_pdf
from kswifi.payments.service import PaymentService, ask_refund

router = APIRouter(prefix="/api/v1/payments", tags=["payments"])

PDF_TYPE: Final = "application/pdf"
_PAGE_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

Reference = Annotated[str, Path(max_length=64, description="The payment's reference.")]


async def payment_service(services: ServicesDep) -> PaymentService:
    """Return the payment service.

    Raises:
        PaymentsNotSetUpError: this server takes no payments.
    """
    if services.payments is None:
        raise PaymentsNotSetUpError("payments are not set up here: nothing was taken")
    return services.payments


PaymentServiceDep = Annotated[PaymentService, Depends(payment_service)]


@router.post(
    "",
    status_code=201,
    response_model=PaymentView,
    summary="Begin to pay for an offer",
    responses=problem_responses(
        "unknown_offer",
        "nothing_to_pay",
        "payments_not_set_up",
        "payment_not_opened",
        "nothing_to_deliver",
        "too_many_open_payments",
        "kyc_level_too_low",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def begin_payment(body: BeginPaymentBody, request: Idempotent, payments: PaymentServiceDep) -> Response:
    """Begin a payment: open `checkout_url` and pay there.

    Once the gateway confirms the payment, it becomes `settled` and its pass runs; the event `payment_state_changed`
    reports it. If the gateway does not answer, the payment is `intended` and has no `checkout_url` yet: read it
    again later.
    """

    async def work() -> PaymentView:
        return payment_view(await payments.begin(request.user.user.user_id, body.offer_id, request.operation_id))

    return await request.answer(work, status=201, location="/api/v1/payments/{reference}")


@router.get("", summary="List your payments", responses=problem_responses("not_signed_in", "payments_not_set_up"))
async def list_payments(user: SignedInUser, payments: PaymentServiceDep, page: PageQuery) -> PaymentsView:
    """List your payments with their states."""
    found = await payments.payments(user.user.user_id, page)
    return PaymentsView(payments=[payment_view(it) for it in found.items], next=found.cursor)


@router.get(
    "/{reference}",
    summary="One payment",
    responses=problem_responses("unknown_payment", "not_signed_in", "payments_not_set_up"),
)
async def read_payment(reference: Reference, user: SignedInUser, payments: PaymentServiceDep) -> PaymentView:
    """Return one payment with its state."""
    return payment_view(await payments.payment(user.user.user_id, reference))


@router.post(
    "/{reference}/refund",
    response_model=PaymentView,
    summary="Ask for the money back",
    responses=problem_responses(
        "unknown_payment",
        "not_refundable",
        "payments_not_set_up",
        "idempotency_key_missing",
        "not_signed_in",
        "csrf_token_wrong",
    ),
)
async def refund_payment(reference: Reference, request: Idempotent, _payments: PaymentServiceDep) -> Response:
    """Request a refund: it is granted if nothing of the pass was used.

    The pass is suspended at once. If the ledger finds usage, the payment becomes `settled` again, with the reason.
    Otherwise the pass's sessions end, and the payment is `refunding` until the gateway has sent the money back.
    """
    user_id = request.user.user.user_id
    return await request.answer_step(lambda connection: payment_view(ask_refund(connection, user_id, reference)))


@router.get(
    "/{reference}/receipt",
    summary="The receipt as a page",
    response_class=Response,
    responses={
        200: {"description": "The receipt", "content": {"text/html": {"schema": {"type": "string"}}}},
        **problem_responses("unknown_payment", "no_receipt", "not_signed_in", "payments_not_set_up"),
    },
)
async def read_receipt(reference: Reference, user: SignedInUser, payments: PaymentServiceDep) -> Response:
    """Return the receipt as an HTML page."""
    receipt = await payments.receipt(user.user.user_id, reference, _payer(user.user))
    return Response(_page(receipt), headers={"Content-Security-Policy": _PAGE_POLICY}, media_type="text/html")


@router.get(
    "/{reference}/receipt.pdf",
    summary="The receipt as PDF",
    response_class=Response,
    responses={
        200: {
            "description": "The receipt",
            "content": {PDF_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problem_responses("unknown_payment", "no_receipt", "not_signed_in", "payments_not_set_up"),
    },
)
async def read_receipt_pdf(reference: Reference, user: SignedInUser, payments: PaymentServiceDep) -> Response:
    """Return the receipt as a PDF file."""
    receipt = await payments.receipt(user.user.user_id, reference, _payer(user.user))
    headers = {"Content-Disposition": f'attachment; filename="receipt-{reference}.pdf"'}
    return Response(receipt_pdf(receipt), headers=headers, media_type=PDF_TYPE)


def _payer(user: User) -> str:
    return user.email or user.phone_number or ""


def _page(receipt: Receipt) -> str:
    mark = f"<p><strong>{SANDBOX_WORDS}</strong>" if receipt.sandbox else ""
    rows = "".join(f"<tr><th scope=row align=left>{escape(a)}<td>{escape(b)}" for a, b in receipt.lines)
    title = f"{'SANDBOX: ' if receipt.sandbox else ''}{escape(receipt.title)}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="dark light"><title>{title}</title>{mark}<h1>{escape(receipt.title)}</h1>'
        f"<table cellpadding=6>{rows}</table></html>"
    )
