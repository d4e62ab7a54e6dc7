"""Floor 6: the data directory: what lies in it, and its backups."""
