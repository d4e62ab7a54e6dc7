"""Errors of the simulation: a violated invariant, and the simulated loss of power."""

from kswifi.kernel.errors import KswifiError


class SimulationFailedError(KswifiError):
    """An invariant was violated. The message names the seed that reproduces it."""

    code = "simulation_failed"


class PowerLostError(Exception):
    """The power of the simulated machine failed while a record was written."""
