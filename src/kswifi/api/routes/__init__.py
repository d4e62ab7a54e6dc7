"""The REST routes, each with its views."""
