"""Servers of machine protocols: Diameter (Gy, S6a), remote SIM provisioning (ES9+, ES2+), local HTTPS."""
