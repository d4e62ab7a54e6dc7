"""Floor 1: authentication and key agreement (AKA, TS 33.102) with the Milenage algorithms (TS 35.206)."""
