"""The errors of free data: each rule has a stable code, and names what the user can do."""

from typing import ClassVar

from kswifi.kernel.errors import KswifiError, Refusal


class FreeDataError(KswifiError):
    """The base class of errors of free data."""

    code = "free_data_refused"


class FreeOrderRefusedError(FreeDataError):
    """A rule refuses a free order. ``do`` is the user's remedy for programs; the message names it for people."""

    do: ClassVar[str] = "wait"

    def __init__(self, message: str, **facts: str | int | bool | None) -> None:
        super().__init__(message, **{"do": self.do, **facts})


class FreeDataStoppedError(FreeOrderRefusedError):
    """The operator has stopped all free data."""

    code = "free_data_stopped"


class FreeDataNotStartedError(FreeOrderRefusedError):
    """Free data has not started, because a safeguard is missing."""

    code = "free_data_not_started"


class AccountHeldError(FreeOrderRefusedError):
    """Free data is held for the account until a person has looked at it."""

    code = "account_held"
    do = "ask_support"


class KycLevelTooLowError(FreeOrderRefusedError):
    """The account's KYC level is lower than an order requires."""

    code = "kyc_level_too_low"
    do = "identify"


class FreeOfferNotGivenError(FreeOrderRefusedError):
    """InternetSessions of this size or validity are not free at present."""

    code = "free_offer_not_given"
    do = "choose_another"


class PhoneNotVerifiedError(FreeOrderRefusedError):
    """Free data requires a verified phone number."""

    code = "phone_not_verified"
    do = "verify_phone"


class VoucherNeededError(FreeOrderRefusedError):
    """Free data requires a voucher of a venue."""

    code = "voucher_needed"
    do = "redeem_voucher"


class PhoneOrVoucherNeededError(FreeOrderRefusedError):
    """Free data requires a verified phone number or a venue's voucher."""

    code = "phone_or_voucher_needed"
    do = "verify_phone_or_redeem_voucher"


class AllowanceExceededError(FreeOrderRefusedError):
    """The order exceeds the free data of a person in the rolling days."""

    code = "free_allowance_used_up"


class DeviceAllowanceExceededError(FreeOrderRefusedError):
    """The order exceeds the free data of a device in the rolling days."""

    code = "device_allowance_used_up"


class CardAllowanceExceededError(FreeOrderRefusedError):
    """The order exceeds the free data of an eUICC in the rolling days."""

    code = "card_allowance_used_up"


class TooMuchUnspentError(FreeOrderRefusedError):
    """The account holds the maximum of unspent free data."""

    code = "too_much_unspent"
    do = "use_some"


class CoolingDownError(FreeOrderRefusedError):
    """The last free order was too recent."""

    code = "free_data_cooling_down"


class BudgetGoneError(FreeOrderRefusedError):
    """No budget can pay for it at present."""

    code = "free_budget_gone"


UNKNOWN_BUDGET = Refusal("unknown_budget", "There is no budget of this name.")
BUDGET_INVALID = Refusal(
    "budget_invalid", "A budget cannot be what was asked: less than is reserved and spent of it, say."
)
BUDGET_UNPRICED = Refusal("budget_unpriced", "There are budgets, and no cost price: they would never be used up.")
NO_WAITING_LIST = Refusal(
    "no_waiting_list", "There is nothing to wait for, or this operator keeps no waiting list.", status=409
)
