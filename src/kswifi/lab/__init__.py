"""Beside the floors: phone, access gateway and content server. It reaches the product only over its wires."""
