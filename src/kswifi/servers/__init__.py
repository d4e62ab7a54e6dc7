"""The servers of machine protocols: a Diameter node with Gy (charging) and S6a (authentication) on it."""
