"""Simulation of gifts, shares and moves of octets, over the real control plane and the rules of the ledger."""
