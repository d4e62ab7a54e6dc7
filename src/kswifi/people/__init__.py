"""Floor 3: octets that people pass on, and sessions that they order ahead: gifts, shares, moves, standing orders."""
