"""The HTTP listeners: the API with the app, the servers for the local network, and monitoring."""
