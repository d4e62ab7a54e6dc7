"""The errors of simulated business."""

from kswifi.kernel.errors import Refusal

NOT_A_NEW_INSTALLATION = Refusal(
    "not_a_new_installation", "Business is simulated in a new installation in embedded mode."
)
BUSINESS_FAILED = Refusal("business_failed", "The simulated business came to a step that does not end.")
