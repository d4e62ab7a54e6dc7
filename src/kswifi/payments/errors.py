"""What is refused about payments and passes, each with a stable code."""

from kswifi.kernel.errors import KswifiError


class PaymentsError(KswifiError):
    """Anything this capability refuses."""

    code = "payment_refused"


class PaymentsNotSetUpError(PaymentsError):
    """The offer has a price and nothing here can take a payment; nothing was taken."""

    code = "payments_not_set_up"


class NothingToPayError(PaymentsError):
    """The offer is free."""

    code = "nothing_to_pay"


class UnknownPaymentError(PaymentsError):
    """There is no such payment, or it is somebody else's: both look the same from outside."""

    code = "unknown_payment"


class PaymentNotOpenedError(PaymentsError):
    """The gateway opened no checkout; nothing was taken. A new payment may be tried."""

    code = "payment_not_opened"


class NothingToDeliverError(PaymentsError):
    """Nothing could be downloaded under a pass at this moment, so none is sold; nothing was taken."""

    code = "nothing_to_deliver"


class TooManyOpenPaymentsError(PaymentsError):
    """Several payments of this user wait to be paid already."""

    code = "too_many_open_payments"


class IllegalPaymentTransitionError(PaymentsError):
    """The payment's state machine does not list this event for this state."""

    code = "illegal_payment_transition"


class NotRefundableError(PaymentsError):
    """Something of what was bought has been used, or it is over, or a later payment comes first."""

    code = "not_refundable"


class NoReceiptError(PaymentsError):
    """There is no receipt of what was not paid."""

    code = "no_receipt"


class NotTheGatewayInUseError(PaymentsError):
    """A webhook for a gateway that takes no payments here."""

    code = "not_the_gateway_in_use"


class WebhookSignatureWrongError(PaymentsError):
    """A webhook whose signature is missing or wrong: it is not from the gateway."""

    code = "webhook_signature_wrong"


class WebhookUnreadableError(PaymentsError):
    """A webhook that is signed as it should be and says nothing that can be read."""

    code = "webhook_unreadable"


class GatewayNotListedError(PaymentsError):
    """The gateway did not give one of its lists; ``refused`` tells whether it said no, or nothing that is known."""

    code = "gateway_not_listed"
