"""Floor 6: the data directory: its layout, its lock, and its backups."""
