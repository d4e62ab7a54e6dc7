"""Network cores: subscriber databases, and the lab gateway of embedded mode."""
