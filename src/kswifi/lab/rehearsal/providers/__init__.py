"""A rehearsal data provider: one engine behind the API of each vendor. No money moves, and no data is delivered."""
