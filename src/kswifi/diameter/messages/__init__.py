"""Diameter messages: the base protocol, credit control, S6a and their grouped AVPs."""
