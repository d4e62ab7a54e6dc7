"""Lines whose profiles an external SM-DP+ delivers: stock, orders and progress (SGP.22, 5.3)."""
