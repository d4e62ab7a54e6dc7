"""Floor 2: the outbox: work to do after a transaction, and domain events, both written inside it."""
