"""Diameter messages: the base protocol, credit control and S6a, with their grouped AVPs."""
