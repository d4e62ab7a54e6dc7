"""Floor 2: what is to be done after a transaction, and what happened in it, written inside it."""
