"""Diameter, as octets and types: the base protocol, credit control (Gy) and S6a authentication.

Pure codecs, used by the server and by its clients alike. ``header`` and ``avp`` know the layout, ``dictionary``
the names, ``reader`` reads strictly, ``framing`` cuts a stream; ``base``, ``credit_control`` and ``s6a`` hold the
messages as frozen records with ``encode()`` and ``decode()``.
"""
