"""Floor 6: benchmarks of the server: CPU time per item of work, latencies and rates."""
