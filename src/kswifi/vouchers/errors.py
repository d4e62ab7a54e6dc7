"""The errors of vouchers."""

from kswifi.kernel.errors import KswifiError


class UnknownVoucherError(KswifiError):
    """The code was not signed by this installation: it is mistyped or invented."""

    code = "unknown_voucher"


class VoucherUsedError(KswifiError):
    """Another account has redeemed the voucher."""

    code = "voucher_used"


class VoucherExpiredError(KswifiError):
    """The voucher has expired."""

    code = "voucher_expired"


class VoucherRevokedError(KswifiError):
    """The voucher's batch was revoked."""

    code = "voucher_revoked"


class UnknownBatchError(KswifiError):
    """There is no batch with this number."""

    code = "unknown_voucher_batch"


class BatchInvalidError(KswifiError):
    """The parameters of a new batch are not valid."""

    code = "voucher_batch_invalid"
