"""Diameter codecs: the base protocol, credit control (Gy) and S6a authentication.

Pure code without I/O, used by servers and clients. ``header`` and ``avp`` define the layout, ``dictionary`` the
names, ``reader`` reads AVPs strictly, ``framing`` splits a stream into messages. ``messages`` holds each message
as a frozen record with ``encode()`` and ``decode()``.
"""
