"""Figures of each local day: computed from the journals and tables, stored by name and dimension, rebuildable."""
