"""Operators that order profiles here over ES2+, their stock and their notifications (SGP.22, 5.3)."""
