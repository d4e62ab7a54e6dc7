"""External SM-DP+ servers over ES2+ (SGP.22, 5.3)."""
