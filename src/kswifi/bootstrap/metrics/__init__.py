"""Metrics in Prometheus' text format, collected when a Prometheus server asks."""
