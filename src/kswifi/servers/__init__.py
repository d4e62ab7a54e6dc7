"""Servers of machine protocols: the Diameter node with Gy and S6a, and the HTTPS servers of remote SIM
provisioning.
"""
