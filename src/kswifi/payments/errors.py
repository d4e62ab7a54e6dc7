"""The errors of payments and passes, each with a stable code."""

from kswifi.kernel.errors import KswifiError


class PaymentsError(KswifiError):
    """The base class of errors about payments and passes."""

    code = "payment_refused"


class PaymentsNotSetUpError(PaymentsError):
    """The offer has a price and no payment gateway is set up; no money was taken."""

    code = "payments_not_set_up"


class NothingToPayError(PaymentsError):
    """The offer is free."""

    code = "nothing_to_pay"


class UnknownPaymentError(PaymentsError):
    """The payment does not exist or belongs to another user; the error does not show which."""

    code = "unknown_payment"


class PaymentNotOpenedError(PaymentsError):
    """The gateway opened no checkout; no money was taken. The user may begin a new payment."""

    code = "payment_not_opened"


class NothingToDeliverError(PaymentsError):
    """No InternetSession could be downloaded under a pass now, so no pass is sold; no money was taken."""

    code = "nothing_to_deliver"


class TooManyOpenPaymentsError(PaymentsError):
    """The user has the maximum number of payments that wait to be paid."""

    code = "too_many_open_payments"


class IllegalPaymentTransitionError(PaymentsError):
    """The payment's state machine does not list this event for this state."""

    code = "illegal_payment_transition"


class NotRefundableError(PaymentsError):
    """The pass was used, is over, or a later payment has to be refunded first."""

    code = "not_refundable"


class NoReceiptError(PaymentsError):
    """The payment was not paid, so there is no receipt."""

    code = "no_receipt"


class NotTheGatewayInUseError(PaymentsError):
    """The webhook is for a gateway that is not in use here."""

    code = "not_the_gateway_in_use"


class WebhookSignatureWrongError(PaymentsError):
    """The webhook's signature is missing or wrong, so it is not from the gateway."""

    code = "webhook_signature_wrong"


class WebhookUnreadableError(PaymentsError):
    """The webhook has a valid signature but unreadable content."""

    code = "webhook_unreadable"


class GatewayNotListedError(PaymentsError):
    """The gateway did not return a list; ``refused`` is True if it refused, False if the result is unknown."""

    code = "gateway_not_listed"
