"""What a simulation finds, and what it does to the machine it pretends."""

from kswifi.kernel.errors import KswifiError


class SimulationFailedError(KswifiError):
    """Something that must never be was; the message names the seed that brings it back."""

    code = "simulation_failed"


class PowerLostError(Exception):
    """The pretended machine went off while a record was being written."""
