"""Floor 3: the operator's money, as a double-entry book whose every entry sums to zero."""
