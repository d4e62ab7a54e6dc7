"""The one table from an error's code to its HTTP status."""

from typing import Final

STATUS_OF_CODE: Final[dict[str, int]] = {
    # the edge
    "host_not_allowed": 421,
    "origin_not_allowed": 403,
    "csrf_token_wrong": 403,
    "headers_too_large": 431,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "idempotency_key_reused": 422,
    "request_in_flight": 409,
    "request_took_too_long": 503,
    "too_many_streams": 429,
    "last_event_id_invalid": 400,
    "not_ready": 503,
    "metrics_not_for_you": 403,
    # accounts
    "invalid_identifier": 422,
    "weak_password": 422,
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
    # catalogue
    "unknown_offer": 404,
    # sessions
    "unknown_session": 404,
    "illegal_transition": 409,
    "payments_not_set_up": 402,
    "free_allowance_used_up": 409,
    "too_much_unspent": 409,
    "esim_not_fresh": 409,
    "session_is_for_another_esim": 409,
    "no_session_on_esim": 409,
    "not_on_wifi": 403,
    "wifi_unknown": 503,
    "session_ended": 410,
    "package_not_ready": 503,
    "package_digest_mismatch": 422,
    "not_cancellable": 409,
    "too_many_disputes": 409,
    "package_expired": 410,
    # eSIMs
    "unknown_esim": 404,
    "esim_numbers_used_up": 503,
    "illegal_profile_transition": 409,
    "sequence_numbers_used_up": 409,
    "subscriber_keys_damaged": 503,
    # database
    "database_busy": 503,
    "database_damaged": 503,
    # kernel
    "invalid_number": 422,
}
