"""Interoperable profile packages (TCA, formerly SIMalliance, "SAIP"): DER decoded to types and encoded."""
