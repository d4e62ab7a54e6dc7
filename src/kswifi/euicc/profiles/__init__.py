"""Profile packages on the card: read, checked, installed, with the rules they bring (SAIP, SGP.22 2.9)."""
