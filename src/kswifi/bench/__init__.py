"""Floor 6: benchmarks: what work costs the server, as CPU per item and ratios."""
