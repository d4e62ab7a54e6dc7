"""Deterministic simulation: packet cores with realistic behaviour and faults, all driven by one random seed.

It runs the product's own charging code, from the octets of a peer's connection to the records of the journal. Only
time, network and disk are simulated, so every failure can be reproduced by its seed.
"""
