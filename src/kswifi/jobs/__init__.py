"""Floor 4: the workers of the outbox, and housekeeping."""
