"""Floor 1: what the pages that people print are written with."""
