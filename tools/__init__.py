"""Checks and set-up of this repository."""
