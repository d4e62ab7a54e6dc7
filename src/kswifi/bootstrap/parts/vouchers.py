"""Vouchers: the key that signs their codes, and their service."""

from kswifi.bootstrap.context import Context
from kswifi.bootstrap.part import Part
from kswifi.esim.lines.vault import SubscriberVault
from kswifi.vouchers.codes import VoucherCodes
from kswifi.vouchers.service import VoucherService


async def open_vouchers(context: Context) -> Part:
    """Open the redemption of vouchers."""
    context.offer(VoucherService(context.database, voucher_codes(context.vault), context.settings.venues))
    return Part()


def voucher_codes(vault: SubscriberVault) -> VoucherCodes:
    """Return what signs vouchers; its key derives from the subscriber key, so backups keep printed codes valid."""
    return VoucherCodes(vault.derived_key("voucher codes"))
