"""Where payment gateways tell what happened: signed, noted, and looked up with them before anything is believed."""

from fastapi import APIRouter, Request, Response

from kswifi.api.edge.problems import problem_responses
from kswifi.api.routes.payments.payments import PaymentServiceDep

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

_REFUSALS = problem_responses(
    "webhook_signature_wrong",
    "webhook_unreadable",
    "not_the_gateway_in_use",
    "payments_not_set_up",
    "body_too_large",
)
_EVENT = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post(
    "/paystack",
    status_code=204,
    summary="Paystack tells of a payment",
    responses=_REFUSALS,
    openapi_extra=_EVENT,
)
async def paystack_webhook(request: Request, payments: PaymentServiceDep) -> Response:
    """Take an event of Paystack, signed by `x-paystack-signature`: the hexadecimal HMAC-SHA512 of the raw body."""
    await payments.take_webhook("paystack", await request.body(), request.headers)
    return Response(status_code=204)


@router.post(
    "/sandbox",
    status_code=204,
    summary="The sandbox gateway tells of a payment",
    responses=_REFUSALS,
    openapi_extra=_EVENT,
)
async def sandbox_webhook(request: Request, payments: PaymentServiceDep) -> Response:
    """Take an event of the sandbox gateway, signed by `x-kswifi-sandbox-signature`, as Paystack's."""
    await payments.take_webhook("sandbox", await request.body(), request.headers)
    return Response(status_code=204)
