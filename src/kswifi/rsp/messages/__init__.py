"""The structures of SGP.22 v2.x as types, with decoding and encoding.

A signed structure keeps its octets in ``raw``. It is made in two ways only: ``decode`` from received octets, or
``build``, which encodes its fields once. Signed octets are never encoded again.
"""
