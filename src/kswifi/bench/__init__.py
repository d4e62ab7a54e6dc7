"""Benchmarks: each measures one part of a running KSWiFi and returns figures."""
