"""Our SM-DP+: profile orders, RSP sessions, bound profile packages and install results (SGP.22)."""
