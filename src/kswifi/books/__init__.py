"""Floor 3: the operator's books: double-entry bookkeeping in which every entry sums to zero."""
