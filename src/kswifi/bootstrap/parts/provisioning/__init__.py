"""Profile delivery: our SM-DP+, its operators' side (ES2+), and an external SM-DP+."""
