"""Floor 3: what can be ordered: the offers, as data an operator can change."""
