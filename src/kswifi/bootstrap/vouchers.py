"""The key of voucher codes."""

from kswifi.esim.lines.vault import SubscriberVault
from kswifi.vouchers.codes import VoucherCodes


def voucher_codes(vault: SubscriberVault) -> VoucherCodes:
    """Return what signs vouchers; its key derives from one that is backed up, so no printed sheet is orphaned."""
    return VoucherCodes(vault.derived_key("voucher codes"))
