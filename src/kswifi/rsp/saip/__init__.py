"""Interoperable profile packages (TCA, formerly SIMalliance, "SAIP"): DER to types and back."""
