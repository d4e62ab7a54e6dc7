"""The network simulated: cores as they behave, faults as they come, and one seed that decides everything.

The product's own charging runs here, from the octets of a peer's connection down to the journal's records. Only
time, the network and the disk are pretended, so a failure comes back whenever its seed does.
"""
