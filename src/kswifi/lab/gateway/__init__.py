"""The access gateway: attach by AKA, an HTTP proxy for the user plane, metered against the charging server."""
