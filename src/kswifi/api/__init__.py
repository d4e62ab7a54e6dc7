"""Floor 5: REST under /api/v1, Server-Sent Events, and the plain page."""
