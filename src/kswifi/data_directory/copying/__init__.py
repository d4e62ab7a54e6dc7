"""A continuous copy of a data directory in another directory, and its restoration."""
