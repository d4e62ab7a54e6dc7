"""Webhooks of payment gateways: verify the signature, store the event, and read the payment at the gateway."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

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
    "/{gateway}",
    status_code=204,
    summary="A payment gateway reports an event",
    responses=_REFUSALS,
    openapi_extra=_EVENT,
)
async def payment_webhook(
    gateway: Annotated[str, Path(max_length=40, description="The gateway's name: `paystack`, `sandbox`.")],
    request: Request,
    payments: PaymentServiceDep,
) -> Response:
    """Receive an event of the configured gateway.

    The signature covers the raw body; each gateway has its own header and algorithm (Paystack:
    `x-paystack-signature`, the hexadecimal HMAC-SHA512). The event itself changes nothing: it makes the server read
    the payment's status from the gateway.
    """
    await payments.take_webhook(gateway, await request.body(), request.headers)
    return Response(status_code=204)
