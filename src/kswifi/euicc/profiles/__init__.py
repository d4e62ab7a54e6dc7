"""Install profile packages on the card: parse, check, and apply policy rules (SAIP, SGP.22 2.9)."""
