"""Network cores: subscriber databases, and the lab gateway of the embedded mode."""
