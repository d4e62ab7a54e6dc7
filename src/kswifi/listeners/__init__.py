"""TCP listeners: accepting connections, their limits and deadlines, the counters of both, and the HTTP server."""
