"""Commands of profiles, cards, operators and subscribers."""
