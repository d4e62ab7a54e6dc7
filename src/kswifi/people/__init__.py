"""Floor 3: octets that people pass on: gifts to others, shares between their lines, moves to a new eSIM."""
