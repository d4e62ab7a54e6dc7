"""Why free data is refused: each rule its own stable code, and what its user can do about it."""

from typing import ClassVar

from kswifi.kernel.errors import KswifiError, Refusal


class FreeDataError(KswifiError):
    """Anything this capability refuses."""

    code = "free_data_refused"


class FreeOrderRefusedError(FreeDataError):
    """A rule refuses a free order. ``do`` is what helps, for programs; the message says it for people."""

    do: ClassVar[str] = "wait"

    def __init__(self, message: str, **facts: str | int | bool | None) -> None:
        super().__init__(message, **{"do": self.do, **facts})


class FreeDataStoppedError(FreeOrderRefusedError):
    """The operator has stopped all free data for now."""

    code = "free_data_stopped"


class KycLevelTooLowError(FreeOrderRefusedError):
    """Who it is has not been established as far as an order asks."""

    code = "kyc_level_too_low"
    do = "identify"


class FreeOfferNotGivenError(FreeOrderRefusedError):
    """Sessions so large or so long are not given for free at the moment."""

    code = "free_offer_not_given"
    do = "choose_another"


class PhoneNotVerifiedError(FreeOrderRefusedError):
    """Free data is for those who have shown that a phone number is theirs."""

    code = "phone_not_verified"
    do = "verify_phone"


class VoucherNeededError(FreeOrderRefusedError):
    """Free data is for guests of a venue, who get a voucher there."""

    code = "voucher_needed"
    do = "redeem_voucher"


class PhoneOrVoucherNeededError(FreeOrderRefusedError):
    """Free data is for those with a verified phone number or a venue's voucher."""

    code = "phone_or_voucher_needed"
    do = "verify_phone_or_redeem_voucher"


class AllowanceExceededError(FreeOrderRefusedError):
    """More free data than a person may download within the rolling days."""

    code = "free_allowance_used_up"


class DeviceAllowanceExceededError(FreeOrderRefusedError):
    """More free data than one device may download within the rolling days."""

    code = "device_allowance_used_up"


class CardAllowanceExceededError(FreeOrderRefusedError):
    """More free data than one eUICC may take within the rolling days."""

    code = "card_allowance_used_up"


class TooMuchUnspentError(FreeOrderRefusedError):
    """Free data enough is waiting to be spent already."""

    code = "too_much_unspent"
    do = "use_some"


class CoolingDownError(FreeOrderRefusedError):
    """The last free order was a moment ago."""

    code = "free_data_cooling_down"


class BudgetGoneError(FreeOrderRefusedError):
    """Nobody's money is left to pay for it at the moment."""

    code = "free_budget_gone"


UNKNOWN_BUDGET = Refusal("unknown_budget", "There is no budget of this name.")
BUDGET_INVALID = Refusal(
    "budget_invalid", "A budget cannot be what was asked: less than is reserved and spent of it, say."
)
BUDGET_UNPRICED = Refusal("budget_unpriced", "There are budgets, and no cost price: they would never be used up.")
NO_WAITING_LIST = Refusal(
    "no_waiting_list", "There is nothing to wait for, or this operator keeps no waiting list.", status=409
)
