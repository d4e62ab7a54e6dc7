"""Floor 3: the catalogue of offers, which the operator can change in a file."""
