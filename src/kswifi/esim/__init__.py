"""Floor 3: eSIM profiles: their numbers and keys, the authentication centre, and how a profile reaches the card."""
