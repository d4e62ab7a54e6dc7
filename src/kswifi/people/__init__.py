"""Floor 3: octets that people pass on or order ahead: gifts, shares, moves, standing orders."""
