"""Floor 1: authentication and key agreement (TS 33.102): the Milenage algorithm."""
