"""The migrations, in their order. Never changed once released."""
