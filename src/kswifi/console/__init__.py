"""Floor 5: the console: the web application of the operator's staff, on its own port, rendered by the server."""
