"""The errors of vouchers."""

from kswifi.kernel.errors import Refusal

UNKNOWN_VOUCHER = Refusal("unknown_voucher", "Not a code that was signed here: mistyped, or made up.", status=404)
VOUCHER_USED = Refusal("voucher_used", "Somebody else has redeemed it.", status=409)
VOUCHER_EXPIRED = Refusal("voucher_expired", "Its last day is over.", status=410)
VOUCHER_REVOKED = Refusal("voucher_revoked", "Its batch was revoked.", status=410)
UNKNOWN_VOUCHER_BATCH = Refusal("unknown_voucher_batch", "There is no batch of this number.")
VOUCHER_BATCH_INVALID = Refusal("voucher_batch_invalid", "A batch cannot be what was asked.")
