"""Session records on a card: slots, secured packets and their proofs."""
