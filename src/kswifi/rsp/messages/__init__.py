"""The structures of SGP.22 v2.x, octets to types and back.

Whatever is signed keeps its octets in ``raw`` and is made in two ways only: ``decode`` takes the octets that
came, ``build`` encodes fields once. Nobody re-encodes what a signature covers.
"""
