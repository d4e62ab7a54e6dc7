"""Floor 0: clock, identifiers, octets, money, card numbers and errors. Imports only the standard library."""
