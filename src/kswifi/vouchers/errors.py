"""Why a voucher is refused."""

from kswifi.kernel.errors import KswifiError


class UnknownVoucherError(KswifiError):
    """Not a code that was signed here: mistyped, or made up."""

    code = "unknown_voucher"


class VoucherUsedError(KswifiError):
    """Somebody else has redeemed it."""

    code = "voucher_used"


class VoucherExpiredError(KswifiError):
    """Its last day is over."""

    code = "voucher_expired"


class VoucherRevokedError(KswifiError):
    """Its batch was revoked."""

    code = "voucher_revoked"


class UnknownBatchError(KswifiError):
    """There is no batch of this number."""

    code = "unknown_voucher_batch"


class BatchInvalidError(KswifiError):
    """A batch cannot be what was asked."""

    code = "voucher_batch_invalid"
