"""The HTTP status of each error code: from the capabilities' tables of refusals, and of error classes from here."""

from typing import Final

from kswifi.api.edge import errors as edge
from kswifi.catalogue import errors as catalogue
from kswifi.free_data import errors as free_data
from kswifi.kernel import pages
from kswifi.kernel.errors import statuses_of
from kswifi.notifications import errors as notifications
from kswifi.people import errors as people
from kswifi.phone_verification import errors as phone_verification
from kswifi.sessions import errors as sessions
from kswifi.supply import errors as supply
from kswifi.vouchers import errors as vouchers

TABLES: Final = (
    edge,
    catalogue,
    free_data,
    notifications,
    pages,
    people,
    phone_verification,
    sessions,
    supply,
    vouchers,
)

_OF_CLASSES: Final[dict[str, int]] = {
    # the edge
    "range_not_satisfiable": 416,
    # accounts
    "invalid_identifier": 422,
    "weak_password": 422,
    "identifier_not_proved": 403,
    "identifier_cannot_be_proved": 409,
    "unknown_proof": 404,
    "proof_code_wrong": 422,
    "proof_code_over": 410,
    "unknown_login": 404,
    "already_registered": 409,
    "wrong_credentials": 401,
    "wrong_recovery_code": 401,
    "not_signed_in": 401,
    "login_expired": 401,
    "too_many_attempts": 429,
    "sign_in_busy": 503,
    "passkeys_not_here": 409,
    "passkey_challenge_over": 410,
    "passkey_refused": 401,
    "too_many_passkeys": 409,
    "unknown_passkey": 404,
    # notifications
    "push_endpoint_refused": 422,
    # payments
    "payments_not_set_up": 402,
    "nothing_to_pay": 409,
    "unknown_payment": 404,
    "payment_not_opened": 502,
    "nothing_to_deliver": 503,
    "too_many_open_payments": 409,
    "illegal_payment_transition": 409,
    "not_refundable": 409,
    "no_receipt": 404,
    "not_the_gateway_in_use": 409,
    "webhook_signature_wrong": 401,
    "webhook_unreadable": 400,
    "gateway_not_listed": 502,
    # sessions
    "unknown_session": 404,
    "package_expired": 410,
    # eSIMs
    "unknown_esim": 404,
    "esim_numbers_used_up": 503,
    "illegal_profile_transition": 409,
    "sequence_numbers_used_up": 409,
    "subscriber_keys_damaged": 503,
    # supply
    "provider_webhook_forged": 401,
    "provider_webhook_unreadable": 400,
    "no_exchange_rate": 503,
    # free data
    "free_data_stopped": 409,
    "report_link_invalid": 404,
    "free_data_not_started": 409,
    "account_held": 403,
    "kyc_level_too_low": 403,
    "free_offer_not_given": 409,
    "phone_not_verified": 403,
    "voucher_needed": 403,
    "phone_or_voucher_needed": 403,
    "free_allowance_used_up": 409,
    "device_allowance_used_up": 409,
    "card_allowance_used_up": 409,
    "too_much_unspent": 409,
    "free_data_cooling_down": 409,
    "free_budget_gone": 409,
    # database
    "database_busy": 503,
    "disk_full": 503,
    "commit_unknown": 503,
    "database_disk": 503,
    "database_damaged": 503,
    # kernel
    "invalid_number": 422,
}

STATUS_OF_CODE: Final[dict[str, int]] = {**_OF_CLASSES, **statuses_of(TABLES)}
