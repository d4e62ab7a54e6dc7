"""Floor 0: clock, ids, octets, money, card numbers and errors. The standard library alone."""
