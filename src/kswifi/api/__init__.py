"""Floor 5: the REST API under /api/v1, Server-Sent Events, and the page of the app."""
